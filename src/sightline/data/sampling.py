"""Rows in which every class comes equally often. Comes in: rows and their classes; goes out: as many rows, drawn anew
each epoch: of large classes some, of small ones all, several times. Must not know batches.
"""

import numpy as np
from numpy.typing import NDArray


def balanced(rows: NDArray[np.intp], classes: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.intp]:
    """Of each class present (N,) the same number, within one, N in all; none once more than another of its class.

    A function of (seed, epoch) and the rows.
    """
    generator = np.random.default_rng((seed, epoch, 1))  # (seed, epoch) orders them
    present = np.unique(classes)
    ends = len(rows) * np.arange(len(present) + 1) // len(present)
    found = []
    for label, num in zip(generator.permutation(present), np.diff(ends), strict=True):
        own = rows[classes == label]
        found += [np.tile(own, num // len(own)), generator.permutation(own)[: num % len(own)]]
    return np.concatenate(found)


def copies(rows: NDArray[np.intp]) -> NDArray[np.int64]:
    """How many times each of the rows (N,) stands before itself."""
    order = np.argsort(rows, kind="stable")
    same = rows[order]
    begins = np.flatnonzero(np.r_[True, same[1:] != same[:-1]]) if len(rows) else np.zeros(0, np.intp)
    found = np.empty(len(rows), np.int64)
    found[order] = np.arange(len(rows)) - np.repeat(begins, np.diff(np.r_[begins, len(rows)]))
    return found
