"""Mean absolute error of each number, in its own unit."""

from sightline.metrics._bootstrap import figures
from sightline.metrics._sample import Figure, Sample

TASK = "number"


def measure(sample: Sample) -> list[Figure]:
    errors = abs(sample.outputs - sample.labels)
    return figures(sample, lambda weights: weights @ errors / weights.sum(axis=1, keepdims=True))
