"""The Dataset: a table with one row a sample. Comes in: what a format read; goes out: rows and their pixels.

Class names are declared once, here, in natural order (`class_2` before `class_10`), and an integer label is
an index into them everywhere else. What the rows are labelled with is a matter of `data.tasks`. Must not know
networks or torch.
"""

from collections.abc import Iterable, Sequence, Sized
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.data.decode import Header, decode, read_header, read_picture
from sightline.data.names import natural_key as natural_key
from sightline.data.store import Store
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

    def pixels(self, row: int, min_side: int | None = None) -> NDArray[np.uint8]:
        """Row's picture, upright: uint8 (H, W, 1) grey or (H, W, 3) RGB.

        `min_side`: the decoder may scale down to any size whose short side is at least this many pixels.
        Raises PictureError if the picture cannot be read.
        """
        ...

    def read(self, row: int, min_side: int | None = None) -> tuple[Header, NDArray[np.uint8]]:
        """What the row's file says of itself, and its pixels as above, from one reading."""
        ...

    def size(self, row: int) -> tuple[int, int]:
        """Height and width of the row's picture in full, upright."""
        ...


@dataclass(frozen=True)
class FileImages:
    """Encoded pictures in a folder or an archive, decoded when asked."""

    store: Store
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.names)

    def pixels(self, row: int, min_side: int | None = None) -> NDArray[np.uint8]:
        return decode(self.store.read(self.names[row]), min_side)

    def read(self, row: int, min_side: int | None = None) -> tuple[Header, NDArray[np.uint8]]:
        return read_picture(self.store.read(self.names[row]), min_side)

    def size(self, row: int) -> tuple[int, int]:
        header = read_header(self.store.read(self.names[row]))
        return header.height, header.width


@dataclass(frozen=True)
class ArrayImages:
    """Pictures already in memory: uint8 (N, H, W, C), C = 1 or 3, or a list of (H, W, C) arrays."""

    array: NDArray[np.uint8] | Sequence[NDArray[np.uint8]]

    def __len__(self) -> int:
        return len(self.array)

    def pixels(self, row: int, min_side: int | None = None) -> NDArray[np.uint8]:
        return self.array[row]

    def read(self, row: int, min_side: int | None = None) -> tuple[Header, NDArray[np.uint8]]:
        image = self.array[row]
        height, width, channels = image.shape
        return Header(width, height, "L" if channels == 1 else "RGB", "", channels == 1), image

    def size(self, row: int) -> tuple[int, int]:
        height, width = self.array[row].shape[:2]
        return height, width


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

    def __post_init__(self) -> None:
        columns: dict[str, Sized] = {"images": self.images, "paths": self.paths, "labels": self.labels}
        columns |= {n: c for n, c in (("groups", self.groups), ("splits", self.splits)) if c is not None}
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

    def label_text(self, row: int) -> str:
        """What a row is labelled with, as a table would say it."""
        text: str = TASKS.get(self.task).written(self.labels[row], self.classes)
        return text

    def without(self, rows: Iterable[int], note: str) -> "Dataset":
        """The same data set less some rows; `note` says why."""
        gone = set(rows)
        keep = [row for row in range(len(self)) if row not in gone]
        return Dataset(
            location=self.location,
            format=self.format,
            images=_Rows(self.images, keep),
            paths=[self.paths[row] for row in keep],
            labels=self.labels[keep],
            classes=self.classes,
            groups=None if self.groups is None else [self.groups[row] for row in keep],
            splits=None if self.splits is None else [self.splits[row] for row in keep],
            notes=(*self.notes, note),
            source=self.source,
        )


@dataclass(frozen=True)
class _Rows:
    """Some of the rows of other images."""

    images: Images
    rows: Sequence[int]

    def __len__(self) -> int:
        return len(self.rows)

    def pixels(self, row: int, min_side: int | None = None) -> NDArray[np.uint8]:
        return self.images.pixels(self.rows[row], min_side)

    def read(self, row: int, min_side: int | None = None) -> tuple[Header, NDArray[np.uint8]]:
        return self.images.read(self.rows[row], min_side)

    def size(self, row: int) -> tuple[int, int]:
        return self.images.size(self.rows[row])


def encode_labels(names: Sequence[str]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Label names a row -> (indices (N,), class names in natural order)."""
    classes = tuple(sorted(set(names), key=natural_key))
    index = {name: i for i, name in enumerate(classes)}
    return np.array([index[name] for name in names], dtype=np.int64), classes
