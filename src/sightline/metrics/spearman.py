"""Spearman's rank correlation of each number: whether the answers have the right order, whatever their scale."""

import numpy as np
from numpy.typing import NDArray

from sightline.metrics._bootstrap import figures
from sightline.metrics._ranking import ranks
from sightline.metrics._sample import Figure, Sample

TASK = "number"


def measure(sample: Sample) -> list[Figure]:
    def correlations(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        pairs = zip(sample.outputs.T, sample.labels.T, strict=True)
        return np.stack([_correlation(ranks(x, weights), ranks(y, weights), weights) for x, y in pairs], axis=1)

    return figures(sample, correlations)


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson's correlation of (B, N) with (B, N) under weights (B, N): (B,); NaN where one of them is constant."""
    total = weights.sum(axis=1, keepdims=True)
    x = x - (weights * x).sum(axis=1, keepdims=True) / total
    y = y - (weights * y).sum(axis=1, keepdims=True) / total
    both = np.sqrt((weights * x * x).sum(axis=1) * (weights * y * y).sum(axis=1))
    return np.asarray(np.where(both > 0, (weights * x * y).sum(axis=1) / np.where(both > 0, both, 1), np.nan))
