"""Mean of the classes' precision, each weighing as many pictures as it has."""

from sightline.metrics import _from_counts
from sightline.metrics._sample import Figure, Sample

TASK = "single"


def measure(sample: Sample) -> Figure:
    return _from_counts.figure(sample, _from_counts.weighted_precisions)
