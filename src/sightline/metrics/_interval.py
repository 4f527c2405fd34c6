"""The intervals of a rate and of a mean."""

from math import sqrt

import numpy as np
from numpy.typing import NDArray

Z95 = 1.959963984540054  # the standard normal's 97.5 % quantile


def wilson(hits: int, total: int) -> tuple[float, float]:
    """95 % score interval of a rate (Wilson, 1927); (0, 1) where there is nothing to count."""
    if total == 0:
        return 0.0, 1.0
    rate, z2 = hits / total, Z95**2
    centre = (rate + z2 / (2 * total)) / (1 + z2 / total)
    half = Z95 * sqrt(rate * (1 - rate) / total + z2 / (4 * total**2)) / (1 + z2 / total)
    # At none and at all it ends exactly there; rounding would leave the rate itself outside.
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return 0.0 if hits == 0 else low, 1.0 if hits == total else high


def of_mean(values: NDArray[np.float64], groups: NDArray[np.intp] | None) -> tuple[float, float] | None:
    """95 % interval of a mean, (N,), of which those of one group (N,) move together; None of a single one.

    By the standard error over groups (Liang and Zeger, 1986), for which a mean needs no bootstrap.
    """
    off = values - values.mean()
    sums = off if groups is None else np.bincount(np.unique(groups, return_inverse=True)[1], off)
    if len(sums) < 2:
        return None
    half = Z95 * sqrt(len(sums) / (len(sums) - 1) * float((sums**2).sum())) / len(values)
    return float(values.mean()) - half, float(values.mean()) + half
