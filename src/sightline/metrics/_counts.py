"""Hits and misses of each class where several may be answered. Weighted, for the bootstrap."""

import numpy as np
from numpy.typing import NDArray

from sightline.metrics._sample import Sample


def f1_of_each(sample: Sample, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """weights (B, N) -> F1 of each class (B, K); NaN where it is neither carried nor answered."""
    hits, carried, answered = totals(sample, weights)
    return np.asarray(np.where(carried + answered > 0, 2 * hits / np.maximum(carried + answered, 1e-300), np.nan))


def totals(
    sample: Sample, weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """weights (B, N) -> pictures (B, K) that carry a class and were answered so, that carry it, that were answered."""
    truth, answer = sample.labels.astype(np.float64), sample.decided.astype(np.float64)
    return weights @ (truth * answer), weights @ truth, weights @ answer
