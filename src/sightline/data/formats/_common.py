"""What several formats say and check. Comes in: names, labels, splits; goes out: sentences, or a DataError.

Must not know any one format.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from sightline.data.dataset import SPLIT_NAMES, Dataset, FileImages, encode_labels
from sightline.data.decode import EXTENSIONS
from sightline.data.medical import nifti
from sightline.data.storage.names import Names
from sightline.data.storage.store import Store
from sightline.errors import MAX_SHOWN, DataError, nearest

NUM_SHOWN = 3
SPLIT_WORDS = {**SPLIT_NAMES, "eval": "test", "evaluation": "test"}
SHARD = re.compile(r"(?P<split>.+?)-\d{5}-of-\d{5}.*")  # data/train-00000-of-00002.parquet
_SUFFIXES = (*EXTENSIONS, *nifti.EXTENSIONS)  # a volume's rows become slices later
EXPECTED = (
    "Expected one of:\n"
    "  folder/<class>/*.jpg, one folder a class\n"
    "  folder/{train,val,test}/<class>/*.jpg\n"
    "  a table (CSV, TSV, JSON Lines or Parquet) with the columns path,label\n"
    "  Hugging Face's metadata.csv or Parquet files with pictures inside\n"
    "  COCO or Pascal VOC annotations\n"
    "  MNIST's IDX files, CIFAR's batches, or a NumPy archive (.npz)\n"
    "or a zip or tar of any of these."
)


def is_picture(name: str) -> bool:
    """Whether the extension is a picture's."""
    return name.lower().endswith(_SUFFIXES)


def not_in(pictures: Sequence[str], what: str) -> str:
    """A note on picture files that lie beside what holds the data set's; empty where there are none."""
    return f"left aside {count(pictures, 'picture')}: not in {what}" if pictures else ""


def walked(folder: str) -> Iterator[tuple[str, bool]]:
    """Every file in a folder, of whatever depth, also where links lead, in order; and whether it is named as a picture.

    Raises DataError where a folder cannot be looked into: it is no empty one.
    """

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: {error.strerror}; its pictures would be left out")

    for place, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        folders.sort()
        yield from ((os.path.join(place, file), is_picture(file)) for file in sorted(files))


def read_bytes(store: Store, name: str, where: str) -> bytes:
    """The bytes of a file that is no picture. Raises DataError, which begins with `where`."""
    try:
        return store.read(name)
    except OSError as error:
        raise DataError(f"{where}: {error.strerror or error}") from error


def split_of(name: str) -> str | None:
    """The split that a file belongs to: by its shard's name, a folder's, or a word in its own; None for none."""
    *folders, base = name.split("/")
    shard = SHARD.fullmatch(base)
    if shard and shard["split"].lower() in SPLIT_WORDS:
        return SPLIT_WORDS[shard["split"].lower()]
    for part in (*folders, base):
        for word in re.split(r"[-._ 0-9]+", part.lower()):
            if word in SPLIT_WORDS:
                return SPLIT_WORDS[word]
    return None


def parted(names: Names, test: Callable[[str], bool]) -> tuple[Names, Names]:
    """The names that pass a test, and the rest."""
    passed = np.fromiter(map(test, names), bool, len(names))
    return (names if passed.all() else names.take(np.flatnonzero(passed))), names.take(np.flatnonzero(~passed))


def few(items: Sequence[str], num_shown: int = NUM_SHOWN) -> str:
    """`a, b, c and 4 more`"""
    shown = ", ".join(i if len(i) <= MAX_SHOWN else f"{i[:MAX_SHOWN]}..." for i in items[:num_shown])
    return f"{shown} and {len(items) - num_shown} more" if len(items) > num_shown else shown


def count(items: Sequence[str], noun: str) -> str:
    """`1 file (a.txt)`, `5 files (a.txt, b.txt, c.txt and 2 more)`, `2 classes (a, b)`"""
    plural = "" if len(items) == 1 else "es" if noun.endswith("s") else "s"
    return f"{len(items)} {noun}{plural} ({few(items)})"


def of_files(
    store: Store,
    format: str,
    names: Sequence[str],
    labels: Sequence[str],
    splits: Sequence[str] | None,
    groups: Sequence[str] | None,
    notes: tuple[str, ...],
) -> Dataset:
    """Files with one class each, by its name -> Dataset. Raises DataError as `check_classes` does."""
    check_classes(store.location, labels, splits)
    indices, classes = encode_labels(labels)
    return Dataset(
        location=store.location,
        format=format,
        images=FileImages(store, names),
        paths=names,
        labels=indices,
        classes=classes,
        groups=groups,
        splits=splits,
        notes=notes,
    )


def check_classes(location: str, labels: Sequence[str], splits: Sequence[str] | None) -> None:
    """Raises DataError if there is one class only, or if a class never occurs in the training split."""
    classes = set(labels)
    if len(classes) == 1:
        raise DataError(
            f"{location}: there is one class only, {few([repr(labels[0])])}; at least two are needed.\n{EXPECTED}"
        )
    trained = {label for label, split in zip(labels, splits or (), strict=False) if split == "train"}
    unseen = sorted(classes - trained)
    if trained and unseen:  # without any training rows the data set is one to measure on
        others = {split for label, split in zip(labels, splits or (), strict=True) if label in unseen}
        hint = nearest(unseen[0], sorted(trained), "class in train")
        raise DataError(
            f"{location}: {few([repr(c) for c in unseen], 20)} occurs in {' and '.join(sorted(others))} "
            f"but never in train, so it cannot be learned: {hint} Rename, add or remove it."
        )
