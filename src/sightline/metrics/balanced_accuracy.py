"""Mean over the classes of the share of their pictures that are right: each counts the same, however few it has."""

from sightline.metrics import _from_counts
from sightline.metrics._sample import Figure, Sample

TASK = "single"


def measure(sample: Sample) -> Figure:
    """Of the classes that were tested, with the interval."""
    return _from_counts.figure(sample, _from_counts.recalls, each=_from_counts.recalls_apart)
