"""Intervals by the bootstrap (Efron, 1979): the pictures are drawn anew, and the figure is computed again.

A draw is a weight for each picture, how often it was drawn; figures are computed for many draws at once. Where
pictures belong to groups, whole groups are drawn: ten pictures of one patient are not ten patients. The seed is
fixed, so that a figure has one interval.
"""

import functools
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from sightline.metrics._sample import Figure, Sample

NUM_DRAWS = 1000
FEWER_DRAWS = 400  # of figures that are not the first one of a task
MIN_DRAWS = 200
MAX_WORK = 4e8  # pictures times columns times draws; beyond it fewer draws, for the interval is narrow then
CHUNK = 2_000_000  # pictures times draws at once: 16 MB a column
SEED = 0
MOST_KEPT = 2e7  # numbers of one byte

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def figures(sample: Sample, statistic: Statistic, most: int = NUM_DRAWS) -> list[Figure]:
    """`statistic`: weights (B, N) -> figures (B, F), NaN where undefined. Gives F figures with their intervals.

    `most`: draws, of which there may be fewer. Of a single group there is no interval: it is in every draw.
    """
    values = statistic(np.ones((1, len(sample.labels))))[0]
    if sample.groups is not None and np.ptp(sample.groups) == 0:
        return [Figure(None if np.isnan(value) else float(value), None) for value in values]
    drawn = draws(sample, statistic, most)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of columns that are NaN throughout
        low, high = np.nanquantile(drawn, (0.025, 0.975), axis=0)
    return [_figure(*numbers) for numbers in zip(values, low, high, strict=True)]


def draws(sample: Sample, statistic: Statistic, most: int = NUM_DRAWS) -> NDArray[np.float64]:
    """The figures (B, F) of each draw."""
    return np.concatenate([statistic(weights) for weights in _weights(sample, most)])


def figure(sample: Sample, statistic: Statistic, most: int = NUM_DRAWS) -> Figure:
    """The figure of a statistic that gives one, (B, N) -> (B, 1)."""
    (found,) = figures(sample, statistic, most)
    return found


def mean_figure(sample: Sample, each: Statistic, most: int = NUM_DRAWS) -> Figure:
    """The mean over the classes for which `each`, (B, N) -> (B, K), is defined.

    A class that is undefined in a draw, its only picture not drawn, counts there as in the whole sample: to leave it
    out would make the figure jump between means over different classes.
    """
    defined, mean = _mean_of(sample, each)
    return figure(sample, mean, most) if defined.any() else Figure(None, None)


def mean_drawn(sample: Sample, each: Statistic, most: int = NUM_DRAWS) -> tuple[float, NDArray[np.float64]]:
    """The same mean, and what it is in each draw (B,); NaN and none where no class is defined."""
    defined, mean = _mean_of(sample, each)
    if not defined.any():
        return float("nan"), np.empty(0)
    drawn = np.concatenate([mean(weights)[:, 0] for weights in _weights(sample, most)])
    return float(mean(np.ones((1, len(sample.labels))))[0, 0]), drawn


def _mean_of(sample: Sample, each: Statistic) -> tuple[NDArray[np.bool_], Statistic]:
    """Which classes are defined (K,), and the mean over them, (B, N) -> (B, 1)."""
    whole = each(np.ones((1, len(sample.labels))))[0]
    defined = ~np.isnan(whole)

    def mean(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        found = each(weights)[:, defined]
        return np.asarray(np.where(np.isnan(found), whole[defined], found).mean(axis=1, keepdims=True))

    return defined, mean


def _figure(value: float, low: float, high: float) -> Figure:
    if np.isnan(value):
        return Figure(None, None)
    return Figure(float(value), (float(low), float(high)))


def _weights(sample: Sample, most: int) -> Iterator[NDArray[np.float64]]:
    """How often each picture is drawn, (B, N), some draws at a time."""
    num = len(sample.labels)
    groups = np.arange(num) if sample.groups is None else np.unique(sample.groups, return_inverse=True)[1]
    num_groups = int(groups.max()) + 1
    work = sample.labels.size
    num_draws = int(np.clip(MAX_WORK / work, MIN_DRAWS, most))
    at_once = max(1, CHUNK // num)
    drawn = _kept(num_groups, num_draws) if num_groups * num_draws <= MOST_KEPT else None
    generator = np.random.default_rng(SEED)
    for start in range(0, num_draws, at_once):
        size = min(at_once, num_draws - start)
        part = _draws(generator, num_groups, size) if drawn is None else drawn[start : start + size]
        yield part[:, groups].astype(np.float64)


def _draws(generator: np.random.Generator, num_groups: int, size: int) -> NDArray[np.int64]:
    """How often each group is drawn, (size, groups)."""
    return generator.multinomial(num_groups, np.full(num_groups, 1 / num_groups), size=size)


@functools.lru_cache(maxsize=2)
def _kept(num_groups: int, num_draws: int) -> NDArray[np.uint8]:
    """Draws that several figures of one test are computed by. A group is drawn once in the mean, never 256 times."""
    generator = np.random.default_rng(SEED)
    return np.concatenate([_draws(generator, num_groups, 1).astype(np.uint8) for _ in range(num_draws)])
