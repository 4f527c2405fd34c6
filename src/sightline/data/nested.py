"""Parts of some rows, each within the next larger: what a learning curve trains on. Comes in: a Dataset and rows; goes
out: fewer of them. Every class in its share, whole groups together. Uses labels and groups alone, never pixels.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sightline.data.dataset import Dataset
from sightline.data.split import SEED, divide

REST = "rest"


def nested(
    dataset: Dataset, rows: NDArray[np.intp], shares: Sequence[float], seed: int = SEED
) -> list[NDArray[np.intp]]:
    """For each of the rising `shares` of `rows` those rows, ascending: of every class about that share, one at least.

    Each holds all rows of the one before. Groups are never parted, so that a share may be missed by a group; of numbers
    it is of their ranges. Shares lie above 0; the last may be 1.
    """
    assert all(0 < low < high <= 1 for low, high in pairwise(shares)) or len(shares) == 1
    sizes = {"train": shares[0]} | {f"to {high}": high - low for low, high in pairwise(shares)}
    if shares[-1] < 1:
        sizes[REST] = 1 - shares[-1]
    names = divide(dataset, rows, sizes, seed)
    part_of = _with_every_class(dataset, rows, np.array([list(sizes).index(name) for name in names.tolist()]))
    return [rows[part_of <= part] for part in range(len(shares))]


def _with_every_class(dataset: Dataset, rows: NDArray[np.intp], part_of: NDArray[np.intp]) -> NDArray[np.intp]:
    """The parts, where those of a class that the first one lacks give it one picture, with its whole group."""
    labels, found = dataset.labels[rows], part_of.copy()
    if labels.dtype.kind == "f":
        return found
    carried = labels > 0 if labels.ndim == 2 else labels[:, None] == np.arange(len(dataset.classes))  # (N, K)
    groups = np.arange(len(rows)) if dataset.groups is None else np.array(dataset.groups)[rows]
    for of_class in carried.T:
        if of_class.any() and not of_class[found == 0].any():
            chosen = np.flatnonzero(of_class)[found[of_class].argmin()]
            found[groups == groups[chosen]] = 0
    return found
