"""The Dataset: a table with one row a sample. Comes in: what a format read; goes out: rows and their pixels.

Class names are declared once, here, in natural order (`class_2` before `class_10`), and an integer label is
an index into them everywhere else. What the rows are labelled with is a matter of `data.tasks`. Must not know
networks or torch.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sightline.data.decode import Header, Pixels, decode, read_header, read_picture
from sightline.data.storage.names import Names, Repeated
from sightline.data.storage.names import natural_key as natural_key
from sightline.data.storage.store import Store
from sightline.data.tasks import TASKS, Labels, counts, task_of
from sightline.errors import DataError

SPLITS = ("train", "val", "calibration", "test")
SPLIT_NAMES = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "calibration": "calibration", "cal": "calibration",
    "test": "test", "testing": "test",
}  # fmt: skip


class Images(Protocol):
    """Where the pixels of the rows come from."""

    def __len__(self) -> int: ...

    def pixels(self, row: int, min_side: int | None = None) -> Pixels:
        """Row's picture, upright: (H, W, 1) grey or (H, W, 3) RGB; uint8, or float32 0..255 where it is deeper.

        `min_side`: the decoder may scale down to any size whose short side is at least this many pixels.
        Raises PictureError if the picture cannot be read.
        """
        ...

    def read(self, row: int, min_side: int | None = None) -> tuple[Header, Pixels]:
        """What the row's file says of itself, and its pixels as above, from one reading."""
        ...

    def size(self, row: int) -> tuple[int, int]:
        """Height and width of the row's picture in full, upright."""
        ...

    def encoded(self, row: int) -> bytes | None:
        """The row's file, byte for byte; None where the picture is no encoded one. Raises OSError or PictureError."""
        ...


@runtime_checkable
class Streamed(Protocol):
    """Images that are fast only in an order of their own, such as shards on a server."""

    def order(self, seed: int, epoch: int, rows: NDArray[np.intp], part: tuple[int, int]) -> NDArray[np.intp]:
        """As `Dataset.order`."""
        ...

    def expect(self, rows: NDArray[np.intp]) -> None:
        """As `Dataset.expect`."""
        ...


class EncodedImages(ABC):
    """Images whose pixels come from the bytes of a file each, wherever those lie."""

    @abstractmethod
    def encoded(self, row: int) -> bytes:
        """As of `Images`, and never None."""

    def pixels(self, row: int, min_side: int | None = None) -> Pixels:
        return decode(self.encoded(row), min_side)

    def read(self, row: int, min_side: int | None = None) -> tuple[Header, Pixels]:
        return read_picture(self.encoded(row), min_side)

    def size(self, row: int) -> tuple[int, int]:
        header = read_header(self.encoded(row))
        return header.height, header.width


@dataclass(frozen=True)
class FileImages(EncodedImages):
    """Encoded pictures in a folder or an archive, decoded when asked."""

    store: Store
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.names)

    def encoded(self, row: int) -> bytes:
        return self.store.read(self.names[row])

    def stamps(self, rows: Iterable[int]) -> NDArray[np.void]:
        """16 bytes for each of `rows` that are others as soon as the file is: a hash of its name, size and times."""
        texts = (f"{self.names[row]}\0{self.store.stamp(self.names[row])}" for row in rows)
        hashes = (hashlib.blake2b(t.encode("utf-8", "surrogatepass"), digest_size=16).digest() for t in texts)
        return np.frombuffer(b"".join(hashes), "V16")


@dataclass(frozen=True)
class ArrayImages:
    """Pictures already in memory: (N, H, W, C), C = 1 or 3, or a list of (H, W, C) arrays; Pixels all of them."""

    array: Pixels | Sequence[Pixels]

    def __len__(self) -> int:
        return len(self.array)

    def pixels(self, row: int, min_side: int | None = None) -> Pixels:
        return self.array[row]

    def read(self, row: int, min_side: int | None = None) -> tuple[Header, Pixels]:
        image = self.array[row]
        height, width, channels = image.shape
        bits = 8 * image.dtype.itemsize
        return Header(width, height, "L" if channels == 1 else "RGB", "", channels == 1, bits), image

    def size(self, row: int) -> tuple[int, int]:
        height, width = self.array[row].shape[:2]
        return height, width

    def encoded(self, row: int) -> bytes | None:
        return None


@dataclass(frozen=True)
class Boxes:
    """Where objects lie, M of them: of which row (M,) and class (M,), and the sides of their boxes (M, 4).

    Sides are top, left, bottom and right, in pixels of the upright picture.
    """

    rows: NDArray[np.intp]
    labels: NDArray[np.intp]
    sides: NDArray[np.float32]

    def of(self, row: int, label: int) -> NDArray[np.float32]:
        """The boxes (n, 4) of a class in a row."""
        return np.asarray(self.sides[(self.rows == row) & (self.labels == label)])

    def kept(self, rows: NDArray[np.intp], total: int) -> "Boxes":
        """Where only some of `total` rows are kept, renumbered."""
        number = np.full(total, -1, np.intp)
        number[rows] = np.arange(len(rows))
        is_kept = number[self.rows] >= 0
        return Boxes(number[self.rows[is_kept]], self.labels[is_kept], self.sides[is_kept])


@dataclass(frozen=True)
class Dataset:
    """Samples, their labels and what is known about them.

    paths    one name a row, unique; a file's path inside the folder or archive, or `images[17]` of an array
    labels   int64 (N,), indices into `classes`; uint8 (N, K), several classes a row; float64 (N, T), numbers
    classes  the class names, in natural order; what the numbers are called
    groups   (N,) group names, or None: rows of one group never part between splits
    splits   (N,) `train`, `val`, `calibration`, `test`, as the data set gives them, or None
    notes    what was left aside while reading, a sentence each, shown to the user
    source   what `open_dataset` opens it again by: an absolute path, or a name; "" for arrays
    columns  what else a table says of the rows, (N,) texts a column, "" for nothing: not learned from, but measured by
    boxes    where objects lie, where that is known: likewise
    """

    location: str
    format: str
    images: Images
    paths: Sequence[str]
    labels: Labels
    classes: tuple[str, ...]
    groups: Sequence[str] | None = None
    splits: Sequence[str] | None = None
    notes: tuple[str, ...] = field(default=())
    source: str = ""
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    boxes: Boxes | None = None

    def __post_init__(self) -> None:
        columns: dict[str, Sized] = {"images": self.images, "paths": self.paths, "labels": self.labels}
        columns |= {n: c for n, c in (("groups", self.groups), ("splits", self.splits)) if c is not None}
        columns |= {f"column {name}": column for name, column in self.columns.items()}
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) != 1:
            raise DataError(f"{self.location}: columns of different lengths: {lengths}")
        if not len(self.labels):
            raise DataError(f"{self.location}: no pictures")
        TASKS.get(self.task).check(self.labels, self.classes, self.location)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def task(self) -> str:
        """What the rows are labelled with: `single`, `multi` or `number`."""
        return task_of(self.labels)

    def counts(self) -> NDArray[np.int64]:
        """Pictures of each class, (K,)."""
        return counts(self.labels, len(self.classes))

    def class_rows(self, k: int) -> NDArray[np.intp]:
        """The rows that carry class k, ascending; of numbers, all rows."""
        if self.task == "number":
            return np.arange(len(self))
        return np.flatnonzero(self.labels == k if self.labels.ndim == 1 else self.labels[:, k])

    def group_numbers(self, rows: NDArray[np.intp]) -> NDArray[np.intp] | None:
        """(n,) whole numbers, equal where rows belong together; None where each stands for itself."""
        if self.groups is None:
            return None
        return np.unique([self.groups[row] for row in rows.tolist()], return_inverse=True)[1]

    def described(self) -> str:
        """What the labels are: `in 3 classes`, `with a number each: age from 1 to 90`."""
        text: str = TASKS.get(self.task).described(self.labels, self.classes)
        return text

    def label_text(self, row: int) -> str:
        """What a row is labelled with, as a table would say it."""
        text: str = TASKS.get(self.task).written(self.labels[row], self.classes)
        return text

    def order(self, seed: int, epoch: int, rows: NDArray[np.intp], part: tuple[int, int] = (0, 1)) -> NDArray[np.intp]:
        """`rows` in the order of an epoch, a function of (seed, epoch) alone; `part` (i, n): the i-th of n equal parts.

        A permutation; of shards, one that reads them one after the other.
        """
        if isinstance(self.images, Streamed):  # the few that need one; asking all images for it would serve nothing
            return self.images.order(seed, epoch, rows, part)
        return shuffled(seed, epoch, rows, part)

    def expect(self, rows: NDArray[np.intp]) -> None:
        """Announce that `rows` will be read next, in this order, so that they can be fetched ahead."""
        if isinstance(self.images, Streamed):
            self.images.expect(rows)

    def without(self, rows: Iterable[int], note: str) -> "Dataset":
        """The same data set less some rows; `note` says why."""
        gone = set(rows)
        keep = np.array([row for row in range(len(self)) if row not in gone], np.intp)
        return Dataset(
            location=self.location,
            format=self.format,
            images=_kept(self.images, keep),
            paths=_taken(self.paths, keep),
            labels=self.labels[keep],
            classes=self.classes,
            groups=None if self.groups is None else _taken(self.groups, keep),
            splits=None if self.splits is None else _taken(self.splits, keep),
            notes=(*self.notes, note),
            source=self.source,
            columns={name: _taken(column, keep) for name, column in self.columns.items()},
            boxes=None if self.boxes is None else self.boxes.kept(keep, len(self)),
        )


@dataclass(frozen=True)
class _Rows:
    """Some of the rows of other images."""

    images: Images
    rows: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.rows)

    def pixels(self, row: int, min_side: int | None = None) -> Pixels:
        return self.images.pixels(int(self.rows[row]), min_side)

    def read(self, row: int, min_side: int | None = None) -> tuple[Header, Pixels]:
        return self.images.read(int(self.rows[row]), min_side)

    def size(self, row: int) -> tuple[int, int]:
        return self.images.size(int(self.rows[row]))

    def encoded(self, row: int) -> bytes | None:
        return self.images.encoded(self.rows[row])

    def order(self, seed: int, epoch: int, rows: NDArray[np.intp], part: tuple[int, int]) -> NDArray[np.intp]:
        if not isinstance(self.images, Streamed):
            return shuffled(seed, epoch, rows, part)
        inner = np.asarray(self.rows, np.intp)
        row_of = np.full(len(self.images), -1, np.intp)
        row_of[inner] = np.arange(len(inner))
        return np.asarray(row_of[self.images.order(seed, epoch, inner[rows], part)])

    def expect(self, rows: NDArray[np.intp]) -> None:
        if isinstance(self.images, Streamed):
            self.images.expect(np.asarray(self.rows, np.intp)[rows])


def _kept(images: Images, rows: NDArray[np.intp]) -> Images:
    """Some of the rows; of files still files, so that the cache takes them."""
    if isinstance(images, FileImages):
        return FileImages(images.store, _taken(images.names, rows))
    return _Rows(images, rows)


def shuffled(seed: int, epoch: int, rows: NDArray[np.intp], part: tuple[int, int]) -> NDArray[np.intp]:
    """The i-th of n parts (sizes differ by one at most) of a permutation of `rows` drawn by (seed, epoch)."""
    return np.random.default_rng((seed, epoch)).permutation(rows)[part[0] :: part[1]]


def _taken(column: Sequence[str], rows: NDArray[np.intp]) -> Sequence[str]:
    return column.take(rows) if isinstance(column, Names | Repeated) else [column[row] for row in rows]


def encode_labels(names: Iterable[str]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Label names a row -> (indices (N,), class names in natural order)."""
    column = names if isinstance(names, Repeated) else Repeated(names)
    present = {column.values[code] for code in np.unique(column.codes)}
    classes = tuple(sorted(present, key=natural_key))
    index = {name: i for i, name in enumerate(classes)}
    numbers = np.array([index.get(value, -1) for value in column.values], np.int64)
    return numbers[column.codes], classes
