"""Differences of two runs on the same pictures: with an interval, and how many pictures would tell them apart."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil, copysign, inf, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from sightline.metrics import _bootstrap
from sightline.metrics._interval import spread_of_mean, student
from sightline.metrics._sample import Sample
from sightline.metrics.mean_average_precision import of_each

POWER = 0.8  # with which so many pictures would tell two runs apart
NUM_HALVINGS = 60


@dataclass(frozen=True)
class Difference:
    """`value`: the second's mean less the first's, on `num` pictures; `interval`: None where all belong to one group.

    num_needed   pictures on which such a difference would show in four of five cases; None where there is none, or no
                 interval
    """

    value: float
    interval: tuple[float, float] | None
    num: int
    num_needed: int | None

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


def of_rates(
    first: NDArray[np.bool_], second: NDArray[np.bool_], groups: NDArray[np.intp] | None, error: float = 0.05
) -> Difference:
    """Of two shares that are right, (N,) each: the score interval for paired rates (Tango, 1998).

    It leaves 0 out just where McNemar's test (1947) does. Where pictures belong to groups, the interval of a mean.
    """
    if groups is not None:
        return of_means(first.astype(np.float64), second.astype(np.float64), groups, error)
    num, won, lost = len(first), int((second & ~first).sum()), int((first & ~second).sum())
    z = NormalDist().inv_cdf(1 - error / 2)

    def score(difference: float) -> float:
        """Standard errors by which what was seen is above a difference; the variance is that under it."""
        b = (2 * num - won + lost) * difference - won - lost
        c = -lost * difference * (1 - difference)
        share = (sqrt(max(b * b - 8 * num * c, 0.0)) - b) / (4 * num)
        variance = num * max(2 * share + difference * (1 - difference), 0.0)
        off = won - lost - num * difference
        return off / sqrt(variance) if variance > 0 else 0.0 if off == 0 else copysign(inf, off)

    value = (won - lost) / num
    low, high = _root(lambda d: score(d) - z, -1.0, value), _root(lambda d: score(d) + z, value, 1.0)
    return _difference(value, (low, high), num, (won + lost) / num, error)


def of_means(
    first: NDArray[np.float64], second: NDArray[np.float64], groups: NDArray[np.intp] | None, error: float = 0.05
) -> Difference:
    """Of two means, (N,) each, by the standard error of the differences, those of one group (N,) moving together."""
    off = second - first
    value, (num, variance) = float(off.mean()), spread_of_mean(off, groups)
    if num < 2:
        return Difference(value, None, len(off), None)
    # Where none differ, or all alike, the variance is no better known than by one that is otherwise.
    variance = max(variance, (abs(value) or float(abs(first).max())) ** 2 / num)
    half = student(num - 1, error) * sqrt(variance / len(off))
    return _difference(value, (value - half, value + half), len(off), variance, error)


def of_average_precision(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    labels: NDArray[np.uint8],
    groups: NDArray[np.intp] | None,
    error: float = 0.05,
) -> Difference:
    """Of two mean average precisions, by probabilities (N, K) each and labels (N, K).

    By the standard error over draws of the pictures, or of their groups (N,), the same ones for both runs (paired
    bootstrap; Efron, 1979). Raises ValueError where no class is carried by some of the pictures and not by all.
    """
    sample, other = Sample(first, labels, labels, groups), Sample(second, labels, labels, groups)
    num, num_own = len(labels), len(labels) if groups is None else len(np.unique(groups))

    def each(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return of_each(other, weights) - of_each(sample, weights)

    value, drawn = _bootstrap.mean_drawn(sample, each)
    if np.isnan(value):
        raise ValueError("no class is carried by some of the pictures and not by all")
    if num_own < 2:
        return Difference(value, None, num, None)
    # A bootstrap draw spreads as if n - 1 pictures were n; where none differ, the one that does is a picture away.
    spread = max(float(drawn.std()) * sqrt(num_own / (num_own - 1)), (abs(value) or 1.0) / num)
    half = student(num_own - 1, error) * spread
    return _difference(value, (value - half, value + half), num, num * spread**2, error)


def _root(falling: Callable[[float], float], low: float, high: float) -> float:
    """Where a falling function crosses 0 between the two, or the end at which it comes nearest."""
    for _ in range(NUM_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return (low + high) / 2


def _difference(value: float, interval: tuple[float, float], num: int, variance: float, error: float) -> Difference:
    """With the pictures, of that variance each, on which it would show with POWER; more than do not show it."""
    found = Difference(value, interval, num, None)
    if value == 0:
        return found
    z = NormalDist().inv_cdf(1 - error / 2) + NormalDist().inv_cdf(POWER)
    needed = ceil(z**2 * variance / value**2)
    return replace(found, num_needed=needed if found.is_clear else max(num + 1, needed))
