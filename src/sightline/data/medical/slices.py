"""Volumes among the files of a data set -> a row for each slice. Comes in: a Dataset of files, as the folder or table
format read it; goes out: the same with the axial slices of each NIfTI volume, and the frames of each DICOM file that
has several, in the place of its row.

A slice is `scan.nii.gz#17` (from 0, lowest first), a frame `film.dcm#17`. Its label is that of its file; its group is
the file, so that none parts between splits, or the table's own `group`, such as the patient. How slices look is settled
in `nifti`, frames in `dicom`. A picture to be answered is named likewise.
Only headers are read here: a file whose header cannot be read is one row, reported with its reason when pictures
are read. Must not know formats, networks or torch.
"""

import dataclasses
import io
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.data.dataset import Dataset, FileImages
from sightline.data.decode import Header, PictureError, Pixels, decode
from sightline.data.decoding.opening import MEDICAL
from sightline.data.medical import dicom, nifti
from sightline.data.storage.named import open_named
from sightline.data.storage.names import Names, Repeated
from sightline.data.storage.order import Layout
from sightline.errors import MissingExtraError

CACHE_BYTES = 1 << 30  # of files that stay in memory, volumes unpacked; the last one read at least
WINDOW_BYTES = 256 << 20  # how far a slice moves in the shuffle: with volumes at its ends, well within the cache
NUM_THREADS = 16
_SLICE = re.compile(r"(?P<file>.*\.(nii|nii\.gz|dcm|dicom))#(?P<index>\d+)", re.IGNORECASE | re.DOTALL)


class Stack(Protocol):
    """A file of several pictures, each decoded when asked. header: of each of them; num_bytes: of memory."""

    @property
    def header(self) -> Header: ...

    @property
    def num_bytes(self) -> int: ...

    def __len__(self) -> int: ...

    def pixels(self, index: int) -> Pixels: ...


@dataclasses.dataclass(frozen=True)
class _File:
    """What the header of a file says. num_slices: 0 of a picture; num_bytes: of each slice, about."""

    num_slices: int = 0
    num_bytes: int = 0
    has_orientation: bool = True


def with_slices(dataset: Dataset) -> Dataset:
    """A data set with the slices or frames of a file in the place of its row; one without such files as it is."""
    files = dataset.images
    if not isinstance(files, FileImages) or not any(is_volume(name) or may_have_frames(name) for name in files.names):
        return dataset
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        read = pool.map(lambda name: _file(files.store.open, name), files.names)
        found = [file or _File(int(is_volume(name))) for name, file in zip(files.names, read, strict=True)]
    if not any(file.num_slices for file in found):
        return dataset
    counts = np.array([max(1, file.num_slices) for file in found])
    sizes = np.array([file.num_bytes for file in found], np.int64)
    row = np.repeat(np.arange(len(counts)), counts)
    index = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    names = Names(
        f"{dataset.paths[r]}#{i}" if found[r].num_slices else dataset.paths[r]
        for r, i in zip(row.tolist(), index, strict=True)
    )
    groups = dataset.paths if dataset.groups is None else dataset.groups
    is_stack = np.array([file.num_slices > 0 for file in found])
    return dataclasses.replace(
        dataset,
        format="nifti" if any(map(is_volume, files.names)) else dataset.format,
        images=SliceImages(files, row, index, sizes[row], is_stack, Volumes(files.store.read)),
        paths=names,
        labels=dataset.labels[row],
        groups=Repeated(groups[r] for r in row.tolist()),
        splits=None if dataset.splits is None else Repeated(dataset.splits[r] for r in row.tolist()),
        notes=(*dataset.notes, *_notes(files.names, found)),
        columns={name: Repeated(cells[r] for r in row.tolist()) for name, cells in dataset.columns.items()},
    )


def _notes(names: Sequence[str], files: Sequence[_File]) -> list[str]:
    unplaced = [name for name, file in zip(names, files, strict=True) if not file.has_orientation]
    notes = []
    for of_volumes, what, parts in ((True, "volumes", "axial slices"), (False, "files of several frames", "frames")):
        counts = [
            f.num_slices for n, f in zip(names, files, strict=True) if f.num_slices and is_volume(n) == of_volumes
        ]
        if counts:
            notes.append(
                f"{len(counts):,} {what} were cut into {sum(counts):,} {parts}; each has its "
                f"{'volume' if of_volumes else 'file'}'s label, and those of a {'volume' if of_volumes else 'file'} "
                "stay together in one split"
            )
    if unplaced:
        notes.append(f"{len(unplaced)} volumes say no orientation ({few(unplaced)}); taken as NIfTI's default")
    return notes


def _file(open_file: Callable[[str], IO[bytes]], name: str) -> _File | None:
    """None where the header cannot be read; why is said when the pixels are."""
    try:
        if is_volume(name):
            with open_file(name) as file:
                shape = nifti.read_shape(file.read(nifti.PACKED_HEAD_BYTES))
            num_bytes = shape.height * shape.width * shape.bits // 8
            return _File(shape.num_slices, num_bytes, shape.has_orientation)
        if may_have_frames(name):
            with open_file(name) as file:
                num_frames = dicom.count_frames(file)
                num_bytes = file.seek(0, os.SEEK_END) // num_frames if num_frames > 1 else 0
            return _File(num_frames, num_bytes) if num_frames > 1 else _File()
    except MissingExtraError:
        if is_volume(name):
            raise
        return None
    except (PictureError, OSError):
        return None
    return _File()


def is_volume(name: str) -> bool:
    """Whether the extension is a volume's."""
    return name.lower().endswith(nifti.EXTENSIONS)


def may_have_frames(name: str) -> bool:
    """Whether the extension is one of DICOM's."""
    return name.lower().endswith(MEDICAL)


def may_be_slice(name: str) -> bool:
    """Whether it is named as a slice or frame, or as a file that may have some."""
    return _SLICE.fullmatch(name) is not None or is_volume(name) or may_have_frames(name)


def few(names: Sequence[str]) -> str:
    """`a, b and 4 more`"""
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")


@dataclasses.dataclass(frozen=True)
class SliceImages:
    """Slices of volumes and frames, and pictures among them: file, index in the file and bytes of each are (N,).

    is_stack  of each file, whether it has slices or frames
    """

    files: FileImages
    file: NDArray[np.intp]
    index: NDArray[np.intp]
    num_bytes: NDArray[np.int64]
    is_stack: NDArray[np.bool_]
    volumes: "Volumes"

    def __len__(self) -> int:
        return len(self.file)

    def pixels(self, row: int, min_side: int | None = None) -> Pixels:
        file = int(self.file[row])
        if not self.is_stack[file]:
            return self.files.pixels(file, min_side)
        return self.volumes.get(self.files.names[file]).pixels(int(self.index[row]))

    def read(self, row: int, min_side: int | None = None) -> tuple[Header, Pixels]:
        file = int(self.file[row])
        if not self.is_stack[file]:
            return self.files.read(file, min_side)
        volume = self.volumes.get(self.files.names[file])
        return volume.header, volume.pixels(int(self.index[row]))

    def size(self, row: int) -> tuple[int, int]:
        file = int(self.file[row])
        if not self.is_stack[file]:
            return self.files.size(file)
        header = self.volumes.get(self.files.names[file]).header
        return header.height, header.width

    def encoded(self, row: int) -> bytes | None:
        file = int(self.file[row])
        return None if self.is_stack[file] else self.files.encoded(file)

    def order(self, seed: int, epoch: int, rows: NDArray[np.intp], part: tuple[int, int]) -> NDArray[np.intp]:
        """Volume after volume, mixed within a window, so that each is unpacked about once an epoch."""
        layout = Layout(self.file, self.index, self.num_bytes, WINDOW_BYTES)
        return layout.order(seed, epoch, rows, part)

    def expect(self, rows: NDArray[np.intp]) -> None:
        """Nothing: volumes are unpacked when the first slice is read."""


class Volumes:
    """Unpacked volumes and files of frames by their name, the last ones read; safe from many threads."""

    def __init__(self, read: Callable[[str], bytes]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._reading: dict[str, threading.Lock] = {}
        self._kept: OrderedDict[str, Stack] = OrderedDict()

    def get(self, name: str) -> Stack:
        """Raises PictureError, or OSError where the file cannot be read."""
        with self._lock:
            reading = self._reading.setdefault(name, threading.Lock())
        with reading:  # one thread unpacks, the others wait for it
            with self._lock:
                if name in self._kept:
                    self._kept.move_to_end(name)
                    return self._kept[name]
            volume: Stack = (nifti.read_volume if is_volume(name) else dicom.Frames)(self._read(name))
            with self._lock:
                self._kept[name] = volume
                while len(self._kept) > 1 and sum(v.num_bytes for v in self._kept.values()) > CACHE_BYTES:
                    self._kept.popitem(last=False)
            return volume

    def slice(self, name: str) -> Pixels | None:
        """The pixels of `scan.nii.gz#17` or `film.dcm#17`; None for the name of a picture.

        Raises PictureError for a volume without the number of a slice, and for a slice that it does not have.
        """
        if not may_be_slice(name):
            return None
        found = _SLICE.fullmatch(name)
        path = found["file"] if found else name
        if not found and not is_volume(path):
            data = self._read(path)
            count = dicom.count_frames(io.BytesIO(data))
            if count == 1:
                return decode(data)
        else:
            volume = self.get(path)
            count = len(volume)
            if found and int(found["index"]) < count:
                return volume.pixels(int(found["index"]))
        what = "a volume of {} slices" if is_volume(path) else "a file of {} frames"
        raise PictureError(f"{what.format(count)}; name one of them, {Path(path).name}#0 to #{count - 1}")


def slice_names(path: str) -> list[str]:
    """A file's slices or frames, each by its name; a picture, or what cannot be read, as it is."""
    found = _file(open_named, path)
    return [f"{path}#{index}" for index in range(found.num_slices)] if found and found.num_slices else [path]
