"""The intervals of a rate and of a mean."""

import functools
from math import inf, pi, sqrt, tan
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from sightline.metrics._sample import Rate

Z95 = 1.959963984540054  # the standard normal's 97.5 % quantile


def wilson(hits: float, total: float, z: float = Z95) -> tuple[float, float]:
    """95 % score interval of a rate (Wilson, 1927), or of another quantile; (0, 1) where there is nothing to count."""
    if total == 0:
        return 0.0, 1.0
    rate, z2 = hits / total, z**2
    centre = (rate + z2 / (2 * total)) / (1 + z2 / total)
    half = z * sqrt(rate * (1 - rate) / total + z2 / (4 * total**2)) / (1 + z2 / total)
    # At none and at all it ends exactly there; rounding would leave the rate itself outside.
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return 0.0 if hits == 0 else low, 1.0 if hits == total else high


def rate(hits: NDArray[np.bool_], groups: NDArray[np.intp] | None = None) -> Rate:
    """The share of (N,) that is true, N at least 1; Wilson's interval, by as many pictures as they are worth."""
    share, num = float(hits.mean()), worth(hits, groups)
    return Rate(share, wilson(int(hits.sum()) if groups is None else share * num, num))


def worth(hits: NDArray[np.bool_], groups: NDArray[np.intp] | None) -> float:
    """How many pictures that stand for themselves would tell the share of (N,) as well as those of groups (N,) do.

    Their number over the design effect, how much larger the share's variance is than theirs (Kish, 1965; never below
    1), and as much less as Student's t asks for (Korn and Graubard, 1998). Its freedom is twice Satterthwaite's (1946):
    where a few groups make all of the variance, these are what it is known by. Once would allow for groups that differ
    as normal numbers do, which have a third of the freedom that groups all alike have (docs/experiments.md, "A rate by
    groups"). Where all hits are alike no variance is seen, and a group counts as one picture.
    """
    num = len(hits)
    if groups is None:
        return num
    share, off = hits.mean(), _sums(hits.astype(np.float64), groups)
    if share in (0, 1) or len(off) == 1:
        return len(off)
    squares = off**2
    variance = len(off) / (len(off) - 1) * squares.sum() / num  # a picture
    freedom = round(2 * squares.sum() ** 2 / max((squares**2).sum(), 1e-300))
    beyond_normal = student(min(max(freedom, 1), len(off) - 1), 0.05) / Z95
    return float(num * min(share * (1 - share) / max(variance, 1e-300), 1.0) / beyond_normal**2)


def of_mean(
    values: NDArray[np.float64], groups: NDArray[np.intp] | None, least: float = -inf, most: float = inf
) -> tuple[float, float] | None:
    """95 % interval of a mean, (N,), of which those of one group (N,) move together; None of a single one.

    Values cannot be below `least` or above `most`.

    By the standard error over groups (Liang and Zeger, 1986), for which a mean needs no bootstrap.
    """
    num, variance = spread_of_mean(values, groups)
    if num < 2:
        return None
    half = student(num - 1, 0.05) * sqrt(variance / len(values))
    return max(float(values.mean()) - half, least), min(float(values.mean()) + half, most)


def spread_of_mean(values: NDArray[np.float64], groups: NDArray[np.intp] | None) -> tuple[int, float]:
    """How many pictures or groups stand for themselves, and the variance a picture that their mean has by it."""
    off = _sums(values, groups)
    return len(off), len(off) / max(len(off) - 1, 1) * float((off**2).sum()) / len(values)


def _sums(values: NDArray[np.float64], groups: NDArray[np.intp] | None) -> NDArray[np.float64]:
    """How far the values (N,) of each group are from their mean, in sum."""
    off = values - values.mean()
    return np.asarray(off if groups is None else np.bincount(np.unique(groups, return_inverse=True)[1], off))


@functools.lru_cache(maxsize=512)
def student(freedom: int, error: float) -> float:
    """The two-sided quantile of Student's t (1908), by its distribution function, of which it is the root.

    With few groups the normal's would be far too sure: of 5, one comparison in seven of equals would find a difference.
    """
    if freedom > 1_000:
        return NormalDist().inv_cdf(1 - error / 2)
    angles = np.linspace(0, pi / 2, 100_001)[:-1]  # t = sqrt(freedom) * tan(angle), whose density is cos^(freedom - 1)
    density = np.cos(angles) ** (freedom - 1)
    mass = np.concatenate([[0.0], (density[1:] + density[:-1]).cumsum()])
    return sqrt(freedom) * tan(float(np.interp((1 - error) * mass[-1], mass, angles)))
