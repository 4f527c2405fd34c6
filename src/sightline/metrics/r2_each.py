"""R2 of each number: the share of its variance that the answers explain. None where it does not vary."""

import numpy as np
from numpy.typing import NDArray

from sightline.metrics._bootstrap import figures
from sightline.metrics._sample import Figure, Sample

TASK = "number"


def measure(sample: Sample) -> list[Figure]:
    return figures(sample, lambda weights: explained(sample, weights))


def explained(sample: Sample, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """weights (B, N) -> (B, T); NaN where a number does not vary."""
    centred = sample.labels - sample.labels.mean(axis=0)  # squares of large numbers would lose their last places
    total = weights.sum(axis=1, keepdims=True)
    mean = weights @ centred / total
    variance = weights @ centred**2 / total - mean**2
    error = weights @ (sample.outputs - sample.labels) ** 2 / total
    varies = variance > 1e-12 * np.maximum((centred**2).mean(axis=0), 1e-300)
    return np.asarray(np.where(varies, 1 - error / np.where(varies, variance, 1), np.nan))
