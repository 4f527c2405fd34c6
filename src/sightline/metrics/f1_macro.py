"""Mean over the classes of F1 at their thresholds; classes neither carried nor answered are left out."""

import warnings

import numpy as np
from numpy.typing import NDArray

from sightline.metrics._bootstrap import figure
from sightline.metrics._counts import f1_of_each
from sightline.metrics._sample import Figure, Sample

TASK = "multi"


def measure(sample: Sample) -> Figure:
    def mean(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of draws without any class
            return np.asarray(np.nanmean(f1_of_each(sample, weights), axis=1, keepdims=True))

    return figure(sample, mean)
