"""Expected calibration error: how far the probability of an answer is from how often such answers are right.

Of several classes a picture: how far the probability of a class is from how often such pictures carry it, the mean over
the classes.

In bins of equal mass (Nguyen and O'Connor, 2015). What chance alone adds to the distance in a bin is taken off, in the
manner of Kumar, Liang and Ma (2019): it is what it would add once more to what was seen. They take that off once, which
leaves half of it where there is nothing but chance; here so often that a calibrated network has 0 in the mean, before
the error of all bins together is cut off at 0.
"""

from collections.abc import Callable
from math import erf, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from sightline.metrics import _bins, _bootstrap
from sightline.metrics._interval import rate
from sightline.metrics._sample import Figure, Sample

TASK = ("single", "multi")
Errors = Callable[[NDArray[np.float64], float], NDArray[np.float64]]  # weights (B, N), chance -> (B,), may be below 0


def measure(sample: Sample) -> Figure:
    """The error, 0..1, and its interval, for which answers are drawn anew; the bins stay.

    Where all are right, all are in every draw. But the error is no less than the distance of all probabilities together
    from the share that is right, so the interval reaches as far as that share's own leaves this.
    """
    error, each = value(sample), _of_each(sample)
    drawn = _bootstrap.figure(sample, lambda weights: _mean(each, weights, 2.0), _bootstrap.FEWER_DRAWS)
    low, high = drawn.interval or (error, error)  # none of a single group
    given, right, groups = _bins.all_given(sample)
    together = max(abs(end - float(given.mean())) for end in rate(right, groups).interval)
    return Figure(error, (min(error, low), max(error, high, together)))


def value(sample: Sample) -> float:
    """The error alone."""
    return float(_mean(_of_each(sample), np.ones((1, len(sample.labels))), 1.0)[0, 0])


def each_value(sample: Sample) -> list[float]:
    """Of several classes a picture: the error of each."""
    once = np.ones((1, len(sample.labels)))
    return [max(float(errors(once, 1.0)[0]), 0.0) for errors in _of_each(sample)]


def _answers(sample: Sample) -> list[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """The probabilities (N,) that were given, and whether it was so (N,); of several classes those of each."""
    if sample.labels.ndim == 1:
        return [_bins.answered(sample)]
    return [(given, labels > 0) for given, labels in zip(sample.outputs.T, sample.labels.T, strict=True)]


def _of_each(sample: Sample) -> list[Errors]:
    return [_errors(given, right) for given, right in _answers(sample)]


def _mean(each: list[Errors], weights: NDArray[np.float64], chance: float) -> NDArray[np.float64]:
    """(B, N) -> (B, 1). `chance`: how often it acted, for what is drawn anew twice."""
    found = sum(errors(weights, chance) for errors in each) / len(each)
    return np.maximum(found, 0.0)[:, None]


def _errors(given: NDArray[np.float64], right: NDArray[np.bool_]) -> Errors:
    place = _bins.places(given)
    is_in = (place[:, None] == np.arange(int(place.max()) + 1)).astype(np.float64)  # (N, bins)
    right_in, given_in = is_in * right[:, None], is_in * given[:, None]

    def errors(weights: NDArray[np.float64], chance: float) -> NDArray[np.float64]:
        counts = weights @ is_in  # (B, N) @ (N, bins) -> (B, bins)
        at_least = np.maximum(counts, 1)
        means = weights @ given_in / at_least
        off = abs(weights @ right_in / at_least - means)
        spread = np.sqrt(chance * np.maximum(means * (1 - means), 0) / at_least)  # rounding lifts means of ones
        off = off - (_expected(off, np.maximum(spread, 1e-9)) - off) / (sqrt(2) - 1)
        return np.asarray((counts * off).sum(axis=1) / counts.sum(axis=1))

    return errors


def _expected(mean: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the absolute value of a normal number (Leone, Nelson and Nottingham, 1961)."""
    z = mean / spread
    return np.asarray(spread * sqrt(2 / pi) * np.exp(-(z**2) / 2) + mean * _ERF(z / sqrt(2)))


_ERF = np.vectorize(erf, otypes=[np.float64])
