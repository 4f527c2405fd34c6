"""Expected calibration error: how far the probability of an answer is from how often such answers are right.

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
from sightline.metrics._interval import wilson
from sightline.metrics._sample import Figure, Sample

TASK = "single"
Errors = Callable[[NDArray[np.float64], float], NDArray[np.float64]]  # weights (B, N), chance -> (B, 1)


def measure(sample: Sample) -> Figure:
    """The error, 0..1, and its interval, for which answers are drawn anew; the bins stay.

    Where all are right, all are in every draw. But the error is no less than the distance of all probabilities together
    from the share that is right, so the interval reaches as far as that share's own leaves this.
    """
    errors = _errors(sample)
    error = _of_all(errors, sample)
    drawn = _bootstrap.figure(sample, lambda weights: errors(weights, 2.0), _bootstrap.FEWER_DRAWS)
    assert drawn.interval is not None
    low, high = drawn.interval
    given, right = _bins.answered(sample)
    together = max(abs(end - float(given.mean())) for end in wilson(int(right.sum()), len(right)))
    return Figure(error, (min(error, low), max(error, high, together)))


def value(sample: Sample) -> float:
    """The error alone."""
    return _of_all(_errors(sample), sample)


def _of_all(errors: Errors, sample: Sample) -> float:
    return float(errors(np.ones((1, len(sample.labels))), 1.0)[0, 0])


def _errors(sample: Sample) -> Errors:
    given, right = _bins.answered(sample)
    place = _bins.places(given)
    is_in = (place[:, None] == np.arange(int(place.max()) + 1)).astype(np.float64)  # (N, bins)
    right_in, given_in = is_in * right[:, None], is_in * given[:, None]

    def errors(weights: NDArray[np.float64], chance: float) -> NDArray[np.float64]:
        """(B, N) -> (B, 1). `chance`: how often it acted, for what is drawn anew twice."""
        counts = weights @ is_in  # (B, N) @ (N, bins) -> (B, bins)
        at_least = np.maximum(counts, 1)
        means = weights @ given_in / at_least
        off = abs(weights @ right_in / at_least - means)
        spread = np.sqrt(chance * means * (1 - means) / at_least)
        off = off - (_expected(off, np.maximum(spread, 1e-9)) - off) / (sqrt(2) - 1)
        error = (counts * off).sum(axis=1, keepdims=True) / counts.sum(axis=1, keepdims=True)
        return np.asarray(np.maximum(error, 0.0))

    return errors


def _expected(mean: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the absolute value of a normal number (Leone, Nelson and Nottingham, 1961)."""
    z = mean / spread
    return np.asarray(spread * sqrt(2 / pi) * np.exp(-(z**2) / 2) + mean * _ERF(z / sqrt(2)))


_ERF = np.vectorize(erf, otypes=[np.float64])
