"""AUROC: how often a picture of a class gets a higher probability of it than a picture of another.

1 at best, one half by chance. Of two classes the positive one's; of more, the mean over the classes, each against all
others. Classes that none, or all, of the pictures are of are left out.
"""

from sightline.metrics import _areas
from sightline.metrics._sample import Figure, Sample

TASK = "single"


def measure(sample: Sample) -> Figure:
    return _areas.of_all(sample, "auroc")
