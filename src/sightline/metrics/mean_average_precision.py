"""Mean over the classes of their average precision: how well probabilities put the right pictures first.

Classes that no picture carries, or all do, are left out. 1 is best; an order by chance gives about the share of
pictures that carry the class.
"""

import warnings

import numpy as np
from numpy.typing import NDArray

from sightline.metrics._bootstrap import figure
from sightline.metrics._ranking import average_precision
from sightline.metrics._sample import Figure, Sample

TASK = "multi"


def measure(sample: Sample) -> Figure:
    return figure(sample, lambda weights: mean(sample, weights))


def mean(sample: Sample, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """weights (B, N) -> (B, 1)"""
    columns = zip(sample.outputs.T, sample.labels.T, strict=True)
    each = np.stack([average_precision(p, y.astype(np.uint8), weights) for p, y in columns], axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of draws without any class
        return np.asarray(np.nanmean(each, axis=1, keepdims=True))
