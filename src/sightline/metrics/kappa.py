"""Cohen's kappa (1960): how far answers and truth agree beyond chance, 1 at best, 0 as by chance."""

from sightline.metrics import _from_counts
from sightline.metrics._sample import Figure, Sample

TASK = "single"


def measure(sample: Sample) -> Figure:
    """With the interval; undefined where truth and answers are of one class alone."""
    return _from_counts.figure(sample, _from_counts.kappas, lowest=-1.0)
