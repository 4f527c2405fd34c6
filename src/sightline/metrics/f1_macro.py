"""Mean over the classes of F1 at their thresholds; classes neither carried nor answered are left out."""

from sightline.metrics._bootstrap import mean_figure
from sightline.metrics._counts import f1_of_each
from sightline.metrics._sample import Figure, Sample

TASK = "multi"


def measure(sample: Sample) -> Figure:
    return mean_figure(sample, lambda weights: f1_of_each(sample, weights))
