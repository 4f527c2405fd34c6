"""Volumes among the files of a data set -> a row for each slice. Comes in: a Dataset of files, as the folder or table
format read it; goes out: the same with the axial slices of each NIfTI volume in the place of its row.

A slice is `scan.nii.gz#17` (from 0, lowest first). Its label is that of its volume; its group is the volume, so that
no volume parts between splits, or the table's own `group`, such as the patient. How slices look is settled in `nifti`.
A picture to be answered is named likewise.
Only headers are read here: a volume whose header cannot be read is one row, reported with its reason when pictures
are read. Must not know formats, networks or torch.
"""

import dataclasses
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.data.dataset import Dataset, FileImages
from sightline.data.decode import Header, PictureError, Pixels
from sightline.data.medical.nifti import EXTENSIONS, PACKED_HEAD_BYTES, Shape, Volume, read_shape, read_volume
from sightline.data.storage.names import Names, Repeated
from sightline.data.storage.order import Layout
from sightline.data.storage.store import Store

CACHE_BYTES = 1 << 30  # of volumes that stay unpacked, the last one read at least
WINDOW_BYTES = 256 << 20  # how far a slice moves in the shuffle: with volumes at its ends, well within the cache
NUM_THREADS = 16
_SLICE = re.compile(r"(?P<volume>.*\.nii(\.gz)?)#(?P<index>\d+)", re.IGNORECASE | re.DOTALL)


def with_slices(dataset: Dataset) -> Dataset:
    """A data set with the slices of each volume in the place of its row; any other as it is."""
    files = dataset.images
    if not isinstance(files, FileImages) or not any(map(is_volume, files.names)):
        return dataset
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        shapes = list(pool.map(lambda name: _shape(files.store, name), files.names))
    counts = np.array([1 if shape is None else shape.num_slices for shape in shapes])
    sizes = np.array([0 if s is None else s.height * s.width * s.bits // 8 for s in shapes], np.int64)
    row = np.repeat(np.arange(len(counts)), counts)
    index = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    names = Names(
        f"{dataset.paths[r]}#{i}" if is_volume(files.names[r]) else dataset.paths[r]
        for r, i in zip(row.tolist(), index, strict=True)
    )
    groups = dataset.paths if dataset.groups is None else dataset.groups
    return dataclasses.replace(
        dataset,
        format="nifti",
        images=SliceImages(files, row, index, sizes[row], Volumes(files.store.read)),
        paths=names,
        labels=dataset.labels[row],
        groups=Repeated(groups[r] for r in row.tolist()),
        splits=None if dataset.splits is None else Repeated(dataset.splits[r] for r in row.tolist()),
        notes=(*dataset.notes, *_notes(files.names, shapes, counts)),
    )


def _notes(names: Sequence[str], shapes: Sequence[Shape | None], counts: NDArray[np.intp]) -> list[str]:
    volumes = [i for i, name in enumerate(names) if is_volume(name)]
    unplaced = [n for n, s in zip(names, shapes, strict=True) if s is not None and not s.has_orientation]
    notes = [
        f"{len(volumes):,} volumes were cut into {int(counts[volumes].sum()):,} axial slices; each has its volume's "
        "label, and those of a volume stay together in one split"
    ]
    if unplaced:
        notes.append(f"{len(unplaced)} volumes say no orientation ({few(unplaced)}); taken as NIfTI's default")
    return notes


def _shape(store: Store, name: str) -> Shape | None:
    """None for a picture, and for a volume whose header cannot be read; why is said when it is read as a picture."""
    if not is_volume(name):
        return None
    try:
        return read_shape(_start(store, name))
    except (PictureError, OSError):
        return None


def _start(store: Store, name: str) -> bytes:
    with store.open(name) as file:
        return file.read(PACKED_HEAD_BYTES)


def is_volume(name: str) -> bool:
    """Whether the extension is a volume's."""
    return name.lower().endswith(EXTENSIONS)


def few(names: Sequence[str]) -> str:
    """`a, b and 4 more`"""
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")


@dataclasses.dataclass(frozen=True)
class SliceImages:
    """Slices of volumes, and pictures among them: file, index in the file and bytes unpacked are (N,)."""

    files: FileImages
    file: NDArray[np.intp]
    index: NDArray[np.intp]
    num_bytes: NDArray[np.int64]
    volumes: "Volumes"

    def __len__(self) -> int:
        return len(self.file)

    def pixels(self, row: int, min_side: int | None = None) -> Pixels:
        file = int(self.file[row])
        if not is_volume(self.files.names[file]):
            return self.files.pixels(file, min_side)
        return self.volumes.get(self.files.names[file]).pixels(int(self.index[row]))

    def read(self, row: int, min_side: int | None = None) -> tuple[Header, Pixels]:
        file = int(self.file[row])
        if not is_volume(self.files.names[file]):
            return self.files.read(file, min_side)
        volume = self.volumes.get(self.files.names[file])
        height, width = volume.voxels.shape[1:]
        bits, num_bytes = 8 * volume.voxels.dtype.itemsize, volume.voxels[0].nbytes
        header = Header(width, height, "F", "NIFTI", True, bits, num_bytes=num_bytes)
        return header, volume.pixels(int(self.index[row]))

    def size(self, row: int) -> tuple[int, int]:
        header = self.read(row)[0]
        return header.height, header.width

    def encoded(self, row: int) -> bytes | None:
        file = int(self.file[row])
        return None if is_volume(self.files.names[file]) else self.files.encoded(file)

    def order(self, seed: int, epoch: int, rows: NDArray[np.intp], part: tuple[int, int]) -> NDArray[np.intp]:
        """Volume after volume, mixed within a window, so that each is unpacked about once an epoch."""
        layout = Layout(self.file, self.index, self.num_bytes, WINDOW_BYTES)
        return layout.order(seed, epoch, rows, part)

    def expect(self, rows: NDArray[np.intp]) -> None:
        """Nothing: volumes are unpacked when the first slice is read."""


class Volumes:
    """Unpacked volumes by their name, the last ones read; safe from many threads."""

    def __init__(self, read: Callable[[str], bytes]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._reading: dict[str, threading.Lock] = {}
        self._kept: OrderedDict[str, Volume] = OrderedDict()

    def get(self, name: str) -> Volume:
        """Raises PictureError, or OSError where the file cannot be read."""
        with self._lock:
            reading = self._reading.setdefault(name, threading.Lock())
        with reading:  # one thread unpacks, the others wait for it
            with self._lock:
                if name in self._kept:
                    self._kept.move_to_end(name)
                    return self._kept[name]
            volume = read_volume(self._read(name))
            with self._lock:
                self._kept[name] = volume
                while len(self._kept) > 1 and sum(v.voxels.nbytes for v in self._kept.values()) > CACHE_BYTES:
                    self._kept.popitem(last=False)
            return volume

    def slice(self, name: str) -> Pixels | None:
        """The pixels of `scan.nii.gz#17`; None for the name of a picture.

        Raises PictureError for a volume without the number of a slice, and for a slice that it does not have.
        """
        found = _SLICE.fullmatch(name)
        if not found and not is_volume(name):
            return None
        path = found["volume"] if found else name
        volume = self.get(path)
        count = len(volume.voxels)
        if found and int(found["index"]) < count:
            return volume.pixels(int(found["index"]))
        raise PictureError(f"a volume of {count} slices; name one of them, {Path(path).name}#0 to #{count - 1}")


def slice_names(path: str) -> list[str]:
    """A volume's slices, each by its name; a picture, or a volume whose header cannot be read, as it is."""
    if not is_volume(path):
        return [path]
    try:
        with open(path, "rb") as file:
            shape = read_shape(file.read(PACKED_HEAD_BYTES))
    except (PictureError, OSError):
        return [path]
    return [f"{path}#{index}" for index in range(shape.num_slices)]
