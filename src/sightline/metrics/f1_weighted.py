"""Mean of the classes' F1, each weighing as many pictures as it has: common classes count more."""

from sightline.metrics import _from_counts
from sightline.metrics._sample import Figure, Sample

TASK = "single"


def measure(sample: Sample) -> Figure:
    return _from_counts.figure(sample, _from_counts.weighted_f1s)
