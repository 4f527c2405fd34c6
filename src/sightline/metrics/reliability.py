"""Of answers given about the same probability, how many are right: what a reliability diagram draws."""

from sightline.metrics import _bins
from sightline.metrics._sample import Sample

TASK = "single"


def measure(sample: Sample) -> list[_bins.Bin]:
    return _bins.bins(sample)
