"""What several formats say and check. Comes in: names, labels, splits; goes out: sentences, or a DataError.

Must not know any one format.
"""

from collections.abc import Sequence

from sightline.data import nifti
from sightline.data.decode import EXTENSIONS
from sightline.errors import DataError, nearest

NUM_SHOWN = 3
_SUFFIXES = (*EXTENSIONS, *nifti.EXTENSIONS)  # a volume's rows become slices later
EXPECTED = (
    "Expected one of:\n"
    "  folder/<class>/*.jpg, one folder a class\n"
    "  folder/{train,val,test}/<class>/*.jpg\n"
    "  a table (CSV, TSV or Parquet) with the columns path,label\n"
    "  MNIST's IDX files, or CIFAR's batches\n"
    "or a zip or tar of any of these."
)


def is_picture(name: str) -> bool:
    """Whether the extension is a picture's."""
    return name.lower().endswith(_SUFFIXES)


def few(items: Sequence[str], num_shown: int = NUM_SHOWN) -> str:
    """`a, b, c and 4 more`"""
    shown = ", ".join(items[:num_shown])
    return f"{shown} and {len(items) - num_shown} more" if len(items) > num_shown else shown


def count(items: Sequence[str], noun: str) -> str:
    """`1 file (a.txt)`, `5 files (a.txt, b.txt, c.txt and 2 more)`"""
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'} ({few(items)})"


def check_classes(location: str, labels: Sequence[str], splits: Sequence[str] | None) -> None:
    """Raises DataError if there is one class only, or if a class never occurs in the training split."""
    classes = set(labels)
    if len(classes) == 1:
        raise DataError(f"{location}: there is one class only, {labels[0]!r}; at least two are needed.\n{EXPECTED}")
    trained = {label for label, split in zip(labels, splits or (), strict=False) if split == "train"}
    unseen = sorted(classes - trained)
    if trained and unseen:  # without any training rows the data set is one to measure on
        others = {split for label, split in zip(labels, splits or (), strict=True) if label in unseen}
        hint = nearest(unseen[0], sorted(trained), "class in train")
        raise DataError(
            f"{location}: {few([repr(c) for c in unseen], 20)} occurs in {' and '.join(sorted(others))} "
            f"but never in train, so it cannot be learned: {hint} Rename, add or remove it."
        )
