"""F1 of all yes-or-no answers together, at the thresholds: common classes weigh more."""

import numpy as np
from numpy.typing import NDArray

from sightline.metrics._bootstrap import figure
from sightline.metrics._counts import totals
from sightline.metrics._sample import Figure, Sample

TASK = "multi"


def measure(sample: Sample) -> Figure:
    def pooled(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        hits, carried, answered = (each.sum(axis=1, keepdims=True) for each in totals(sample, weights))
        return np.asarray(np.where(carried + answered > 0, 2 * hits / np.maximum(carried + answered, 1e-300), np.nan))

    return figure(sample, pooled)
