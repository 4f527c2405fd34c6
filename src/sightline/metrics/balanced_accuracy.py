"""Mean over the classes of the share of their pictures that are right: each counts the same, however few it has."""

import numpy as np
from numpy.typing import NDArray

from sightline.metrics._bootstrap import FEWER_DRAWS, mean_figure
from sightline.metrics._counts import totals
from sightline.metrics._sample import Figure, Sample

TASK = "single"


def measure(sample: Sample) -> Figure:
    """Of the classes that were tested, with the interval."""

    def recalls(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """(B, N) -> (B, K), NaN where a class has no picture."""
        hits, carried, _ = totals(sample, weights)
        return np.asarray(np.where(carried > 0, hits / np.maximum(carried, 1e-300), np.nan))

    return mean_figure(sample, recalls, FEWER_DRAWS)
