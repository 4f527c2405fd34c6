"""Root of the mean squared error of each number, in its own unit: large errors weigh more than in `mae`."""

import numpy as np

from sightline.metrics._bootstrap import figures
from sightline.metrics._sample import Figure, Sample

TASK = "number"


def measure(sample: Sample) -> list[Figure]:
    squares = (sample.outputs - sample.labels) ** 2
    return figures(sample, lambda weights: np.sqrt(weights @ squares / weights.sum(axis=1, keepdims=True)))
