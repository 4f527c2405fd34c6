"""One class a picture: labels int64 (N,), indices into the names."""

import numpy as np
from numpy.typing import NDArray

from sightline.errors import DataError


def check(labels: NDArray[np.int64], names: tuple[str, ...], where: str) -> None:
    """Raise DataError for labels that are no indices into the names."""
    if labels.min() < 0 or labels.max() >= len(names):
        raise DataError(
            f"{where}: labels run from {labels.min()} to {labels.max()}, but there are {len(names)} classes"
        )


def counts(labels: NDArray[np.int64], num_names: int) -> NDArray[np.int64]:
    """Pictures a class, (K,)."""
    return np.bincount(labels, minlength=num_names)


def check_enough(labels: NDArray[np.int64], names: tuple[str, ...], where: str) -> None:
    """Raise DataError unless there are two classes or more, each with two pictures or more."""
    found = counts(labels, len(names))
    if len(found) < 2:
        raise DataError(
            f"{where} has one class only ({names[0]!r}); a classifier needs two or more. "
            "Expected layout: root/class/picture.jpg, or a table with the columns path,label"
        )
    lonely = [f"{names[k]!r} ({found[k]})" for k in np.flatnonzero(found < 2)]
    if lonely:
        raise DataError(
            f"{where}: too few pictures to both train and test in {', '.join(lonely[:20])}; "
            "add pictures, or merge or remove the class"
        )


def check_trained(labels: NDArray[np.int64], names: tuple[str, ...], where: str) -> None:
    """Raise DataError for a class that the training pictures, whose labels these are, do not hold."""
    untrained = [names[k] for k in np.flatnonzero(counts(labels, len(names)) == 0)]
    if untrained:
        raise DataError(
            f"{where}: no picture of {', '.join(map(repr, untrained[:10]))} falls into the train split; "
            "add pictures of it, or groups that hold it"
        )


def strata(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """What a split keeps in proportion: the classes, (N,)."""
    return labels


def described(labels: NDArray[np.int64], names: tuple[str, ...]) -> str:
    """`in 3 classes`"""
    return f"in {len(names):,} classes"


def written(label: np.int64, names: tuple[str, ...]) -> str:
    """One picture's label as a table says it."""
    return names[int(label)]


def reordered(labels: NDArray[np.int64], places: NDArray[np.intp], names: tuple[str, ...]) -> NDArray[np.int64]:
    """Labels by other names: what was name k is now names[places[k]]."""
    return np.asarray(places[labels], np.int64)
