"""Share of pictures whose classes were all answered right, none missed and none too many."""

from sightline.metrics._interval import rate
from sightline.metrics._sample import Rate, Sample

TASK = "multi"


def measure(sample: Sample) -> Rate:
    return rate((sample.labels == sample.decided).all(axis=1), sample.groups)
