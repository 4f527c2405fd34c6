"""Average precision: how well the probabilities of a class put its pictures first; by chance about its share of them.

1 at best. Of two classes the positive one's; of more, the mean over the classes, each against all others. Classes that
none, or all, of the pictures are of are left out.
"""

from sightline.metrics import _areas
from sightline.metrics._sample import Figure, Sample

TASK = "single"


def measure(sample: Sample) -> Figure:
    return _areas.of_all(sample, "average_precision")
