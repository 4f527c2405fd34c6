"""Mean over the classes of F1, of several at their thresholds; classes neither carried nor answered are left out."""

from sightline.metrics._bootstrap import FEWER_DRAWS, NUM_DRAWS, mean_figure
from sightline.metrics._counts import f1_of_each
from sightline.metrics._sample import Figure, Sample

TASK = ("single", "multi")


def measure(sample: Sample) -> Figure:
    most = FEWER_DRAWS if sample.labels.ndim == 1 else NUM_DRAWS
    return mean_figure(sample, lambda weights: f1_of_each(sample, weights), most)
