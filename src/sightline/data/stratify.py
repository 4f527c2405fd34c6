"""Dividing rows that carry several labels. Comes in: indicators a row, fractions; goes out: a part for each row.

Iterative stratification (Sechidis, Tsoumakas and Vlahavas, 2011, On the stratification of multi-label data): the
rarest label is shared out first, since common ones can make good later what it disturbs. Must not know data sets.
"""

import numpy as np
from numpy.typing import NDArray


def deal_iteratively(
    strata: NDArray[np.uint8], groups: NDArray[np.str_] | None, fractions: dict[str, float], seed: int
) -> NDArray[np.intp]:
    """Part index (N,) for rows with indicators (N, S): each label in the given fractions, whole groups together."""
    if groups is None:
        counts, sizes, unit_of = strata.astype(np.int64), np.ones(len(strata), np.int64), np.arange(len(strata))
    else:
        _, unit_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        counts = np.zeros((len(sizes), strata.shape[1]), np.int64)
        np.add.at(counts, unit_of, strata)
    first = [list(fractions).index(name) for name in ("train", "test") if name in fractions]
    return _deal(counts, sizes, np.array(list(fractions.values())), first, seed)[unit_of]


def _deal(
    counts: NDArray[np.int64], sizes: NDArray[np.int64], shares: NDArray[np.float64], first: list[int], seed: int
) -> NDArray[np.intp]:
    """Part index (U,) for units that hold counts (U, S) of the labels in sizes (U,) rows.

    A unit goes to the part that still wants most of its label; of equals to the one that wants most rows. The parts
    `first` get one of every label each before the others do: what trains must test.
    """
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(counts))
    order = order[np.argsort(-sizes[order], kind="stable")]  # large groups first: small ones even them out
    part_of = np.full(len(counts), -1, np.intp)
    wanted = shares[:, None] * counts.sum(axis=0)  # (P, S)
    room = shares * sizes.sum()
    given = np.zeros_like(wanted)
    left = counts.sum(axis=0)
    while left.any():
        label = int(np.where(left > 0, left, left.max() + 1).argmin())
        for unit in order[(counts[order, label] > 0) & (part_of[order] < 0)]:
            lacking = [part for part in first if given[part, label] == 0]
            part = lacking[0] if lacking else _neediest(wanted[:, label], room, generator)
            part_of[unit] = part
            wanted[part] -= counts[unit]
            given[part] += counts[unit]
            room[part] -= sizes[unit]
            left -= counts[unit]
    for unit in order[part_of[order] < 0]:
        part = _neediest(room, room, generator)
        part_of[unit] = part
        room[part] -= sizes[unit]
    return part_of


def _neediest(wanted: NDArray[np.float64], room: NDArray[np.float64], generator: np.random.Generator) -> int:
    """The part that wants most, of equals the one with most room, of these any."""
    best = np.flatnonzero(wanted >= wanted.max() - 1e-9)
    if len(best) > 1:
        best = best[room[best] >= room[best].max() - 1e-9]
    return int(best[0] if len(best) == 1 else generator.choice(best))
