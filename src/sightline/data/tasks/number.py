"""One number a picture, or several: labels float64 (N, T), in the user's own units."""

import numpy as np
from numpy.typing import NDArray

from sightline.errors import DataError

NUM_BINS = 10  # equally full ranges that a split keeps in proportion
MIN_IN_BIN = 10
MIN_PICTURES = 4  # one a part; a network needs many more


def check(labels: NDArray[np.float64], names: tuple[str, ...], where: str) -> None:
    """Raise DataError for anything but one column of finite numbers a name."""
    if labels.ndim != 2 or labels.shape[1] != len(names) or not names:
        raise DataError(f"{where}: values of shape {labels.shape} for {len(names)} names; expected (N, {len(names)})")
    bad = np.flatnonzero(~np.isfinite(labels).all(axis=1))
    if len(bad):
        raise DataError(
            f"{where}: {len(bad)} rows without a finite number, such as row {bad[0] + 1} ({labels[bad[0]].tolist()}); "
            "fill them in, or remove the rows"
        )


def counts(labels: NDArray[np.float64], num_names: int) -> NDArray[np.int64]:
    """Pictures that have each number: all of them, (T,)."""
    return np.full(num_names, len(labels), np.int64)


def check_enough(labels: NDArray[np.float64], names: tuple[str, ...], where: str) -> None:
    """Raise DataError for too few pictures, or a number that is the same for all of them."""
    if len(labels) < MIN_PICTURES:
        raise DataError(f"{where}: {len(labels)} pictures are too few to both train and test; add some")
    _check_varies(labels, names, where, "for every picture")


def check_trained(labels: NDArray[np.float64], names: tuple[str, ...], where: str) -> None:
    """Raise DataError for a number that is the same for all training pictures, whose labels these are."""
    _check_varies(labels, names, where, "for every picture of the train split")


def _check_varies(labels: NDArray[np.float64], names: tuple[str, ...], where: str, of_what: str) -> None:
    for name, column in zip(names, labels.T, strict=True):
        if column.min() == column.max():
            raise DataError(
                f"{where}: {name} is {written(column[:1], (name,))} {of_what}, so there is nothing to learn; "
                "remove the column, or add pictures with other values"
            )


def strata(labels: NDArray[np.float64]) -> NDArray[np.uint8]:
    """What a split keeps in proportion: ranges with equally many pictures each, (N, T * bins), one a number."""
    bins = max(1, min(NUM_BINS, len(labels) // MIN_IN_BIN))
    found = []
    for column in labels.T:
        edges = np.quantile(column, np.linspace(0, 1, bins + 1)[1:-1])
        found.append(np.eye(bins, dtype=np.uint8)[np.searchsorted(edges, column, side="right")])
    return np.concatenate(found, axis=1)


def described(labels: NDArray[np.float64], names: tuple[str, ...]) -> str:
    """`with a number each: age from 1 to 90`"""
    ranges = (f"{n} from {c.min():.6g} to {c.max():.6g}" for n, c in zip(names, labels.T, strict=True))
    return f"with {'a number' if len(names) == 1 else f'{len(names)} numbers'} each: {', '.join(ranges)}"


def written(label: NDArray[np.float64], names: tuple[str, ...]) -> str:
    """One picture's numbers as a table says them."""
    return ";".join(f"{value:.10g}" for value in label)


def reordered(labels: NDArray[np.float64], places: NDArray[np.intp], names: tuple[str, ...]) -> NDArray[np.float64]:
    """Labels by other names: column k goes to column places[k]. Raises DataError for a number that is lacking."""
    lacking = [name for k, name in enumerate(names) if k not in places]
    if lacking:
        raise DataError(f"the data lack the number {lacking[0]!r}; add a column value_{lacking[0]}")
    found = np.empty((len(labels), len(names)))
    found[:, places] = labels
    return found
