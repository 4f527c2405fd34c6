"""Of answers given about the same probability, how many are right: what a reliability diagram draws.

Of several classes a picture: of classes given about the same probability, how many are there, over all classes.
"""

from sightline.metrics import _bins
from sightline.metrics._sample import Sample

TASK = ("single", "multi")


def measure(sample: Sample) -> list[_bins.Bin]:
    return _bins.bins(sample)
