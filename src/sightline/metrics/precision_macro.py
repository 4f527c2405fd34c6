"""Mean over the classes of precision; one that was never answered has none right, and one that was neither answered nor
tested does not count."""

from sightline.metrics import _from_counts
from sightline.metrics._sample import Figure, Sample

TASK = "single"


def measure(sample: Sample) -> Figure:
    return _from_counts.figure(sample, _from_counts.precisions, each=_from_counts.precisions_apart)
