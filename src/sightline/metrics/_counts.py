"""Hits and misses of each class, of which one or several may be answered. Weighted, for the bootstrap."""

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
    if sample.labels.ndim == 1:
        num_classes, right = sample.outputs.shape[1], sample.decided == sample.labels
        return (
            _sums(weights * right, sample.labels, num_classes),
            _sums(weights, sample.labels, num_classes),
            _sums(weights, sample.decided, num_classes),
        )
    truth, answer = sample.labels.astype(np.float64), sample.decided.astype(np.float64)
    return weights @ (truth * answer), weights @ truth, weights @ answer


def _sums(weights: NDArray[np.float64], classes: NDArray[np.generic], num_classes: int) -> NDArray[np.float64]:
    """Of the weights (B, N) of the pictures of each class, (B, K). Indicators of a thousand classes are too large."""
    order = np.argsort(classes, kind="stable")
    ends = np.searchsorted(classes[order], np.arange(num_classes + 1))
    sums = np.concatenate([np.zeros((len(weights), 1)), weights[:, order].cumsum(axis=1)], axis=1)
    return np.diff(sums[:, ends], axis=1)
