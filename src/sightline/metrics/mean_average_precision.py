"""Mean over the classes of their average precision: how well probabilities put the right pictures first.

Classes that no picture carries, or all do, are left out. 1 is best; an order by chance gives about the share of
pictures that carry the class.
"""

import numpy as np
from numpy.typing import NDArray

from sightline.metrics._bootstrap import mean_figure
from sightline.metrics._ranking import average_precision
from sightline.metrics._sample import Figure, Sample

TASK = "multi"


def measure(sample: Sample) -> Figure:
    return mean_figure(sample, lambda weights: of_each(sample, weights))


def of_each(sample: Sample, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """weights (B, N) -> average precision of each class (B, K); NaN where it is undefined."""
    columns = zip(sample.outputs.T, sample.labels.T, strict=True)
    return np.stack([average_precision(p, y.astype(np.uint8), weights) for p, y in columns], axis=1)
