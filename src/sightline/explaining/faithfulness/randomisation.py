"""Randomisation: how alike the map stays where the network's upper half forgets what it has learned (Adebayo et al.,
2018, Sanity checks for saliency maps). A map that stays the same does not tell what the network knows.

Spearman's correlation over cells, without signs: 1 is the same order, 0 another one.
"""

import numpy as np
from numpy.typing import NDArray

from sightline.explaining.faithfulness._asked import Asked

BETTER = "lower"
SAYS = "how alike the map stays where the network forgets what it has learned"

MOST = 0.5  # mean correlation from which on a method is taken not to depend on what was learned


def measure(asked: Asked) -> NDArray[np.float64] | None:
    """(N,) in -1..1."""
    if asked.randomised is None:
        return None
    own, other = (_ranks(asked.by_cells(np.abs(maps))) for maps in (asked.maps, asked.randomised()))
    spread = np.sqrt(np.square(own).sum(axis=1) * np.square(other).sum(axis=1))
    together = (own * other).sum(axis=1)
    return np.asarray(np.divide(together, spread, out=np.zeros(len(own)), where=spread > 0))


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, cells) -> the rank of each in its row, less the mean; equal values share one."""
    found = np.empty(values.shape)
    for row, one in zip(found, values, strict=True):
        _, numbers, counts = np.unique(one, return_inverse=True, return_counts=True)
        row[:] = (counts.cumsum() - (counts - 1) / 2)[numbers]
    return np.asarray(found - found.mean(axis=1, keepdims=True))
