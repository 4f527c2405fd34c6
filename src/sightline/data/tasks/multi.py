"""Any number of classes a picture, none among them: labels uint8 (N, K), 1 where the picture carries the class."""

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sightline.data.storage.names import natural_key
from sightline.errors import DataError

SEPARATORS = (";", "|")
MIN_POSITIVES = 2  # of a class: one to train with, one to test with


def encode(lists: Sequence[Sequence[str]]) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """The names of each row -> (indicators (N, K), names in natural order)."""
    names = tuple(sorted({name for row in lists for name in row}, key=natural_key))
    index = {name: k for k, name in enumerate(names)}
    labels = np.zeros((len(lists), len(names)), np.uint8)
    for row, carried in enumerate(lists):
        labels[row, [index[name] for name in carried]] = 1
    return labels, names


def check(labels: NDArray[np.uint8], names: tuple[str, ...], where: str) -> None:
    """Raise DataError for anything but one column of 0 and 1 a class."""
    if labels.ndim != 2 or labels.shape[1] != len(names):
        raise DataError(f"{where}: labels of shape {labels.shape} for {len(names)} classes; expected (N, {len(names)})")
    if labels.max(initial=0) > 1:
        raise DataError(f"{where}: labels go up to {labels.max()}; 1 says that a picture carries the class, 0 not")


def counts(labels: NDArray[np.uint8], num_names: int) -> NDArray[np.int64]:
    """Pictures that carry each class, (K,)."""
    return np.asarray(labels.sum(axis=0, dtype=np.int64))


def check_enough(labels: NDArray[np.uint8], names: tuple[str, ...], where: str) -> None:
    """Raise DataError unless each class is carried by two pictures or more, and not by all."""
    found = counts(labels, len(names))
    lonely = [f"{names[k]!r} ({found[k]})" for k in np.flatnonzero(found < MIN_POSITIVES)]
    if lonely or not names:
        raise DataError(
            f"{where}: too few pictures to both train and test carry {', '.join(lonely[:20]) or 'any label'}; "
            "add pictures, or merge or remove the class"
        )
    always = [repr(names[k]) for k in np.flatnonzero(found > len(labels) - MIN_POSITIVES)]
    if always:
        raise DataError(
            f"{where}: all pictures, or all but one, carry {', '.join(always[:20])}: nothing to tell apart; "
            "add pictures without it, or remove the class"
        )


def check_trained(labels: NDArray[np.uint8], names: tuple[str, ...], where: str) -> None:
    """Raise DataError for a class that none or all of the training pictures, whose labels these are, carry."""
    found = counts(labels, len(names))
    for chosen, carry in ((found == 0, "no picture carries"), (found == len(labels), "every picture carries")):
        wrong = [names[k] for k in np.flatnonzero(chosen)]
        if wrong:
            raise DataError(
                f"{where}: {carry} {', '.join(map(repr, wrong[:10]))} in the train split, so it cannot be learned; "
                "add pictures, or remove the class"
            )


def strata(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What a split keeps in proportion: every class, (N, K); of one that most carry, the pictures without it."""
    return np.where(labels.mean(axis=0) > 0.5, 1 - labels, labels).astype(np.uint8)


def described(labels: NDArray[np.uint8], names: tuple[str, ...]) -> str:
    """`with any of 14 classes (1.3 a picture, 60 with none)`"""
    return (
        f"with any of {len(names)} classes ({labels.sum() / len(labels):.1f} a picture, "
        f"{int((labels.sum(axis=1) == 0).sum()):,} with none)"
    )


def written(label: NDArray[np.uint8], names: tuple[str, ...]) -> str:
    """One picture's classes as a table says them: separated by `;`, or a JSON list where a name holds a separator."""
    return joined([name for name, carried in zip(names, label, strict=True) if carried], names)


def joined(carried: Sequence[str], names: tuple[str, ...]) -> str:
    """Some of the names as one cell of a table."""
    if _needs_json(names):
        return json.dumps(list(carried), ensure_ascii=False)
    return SEPARATORS[0].join(carried)


def parted(cell: str, names: tuple[str, ...]) -> list[str]:
    """What `joined` made of some of the names. Raises ValueError for what it did not make."""
    if _needs_json(names):
        return list(map(str, json.loads(cell)))
    return cell.split(SEPARATORS[0]) if cell else []


def _needs_json(names: tuple[str, ...]) -> bool:
    return any(name.startswith("[") or set(name) & {*SEPARATORS, ","} for name in names)


def reordered(labels: NDArray[np.uint8], places: NDArray[np.intp], names: tuple[str, ...]) -> NDArray[np.uint8]:
    """Labels by other names: column k goes to column places[k]; a class that the data do not know is never carried."""
    found = np.zeros((len(labels), len(names)), np.uint8)
    found[:, places] = labels
    return found
