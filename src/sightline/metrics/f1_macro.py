"""Mean over the classes of F1, of several at their thresholds; classes neither carried nor answered are left out."""

from sightline.metrics import _from_counts
from sightline.metrics._bootstrap import mean_figure
from sightline.metrics._counts import f1_of_each
from sightline.metrics._sample import Figure, Sample

TASK = ("single", "multi")


def measure(sample: Sample) -> Figure:
    if sample.labels.ndim == 1:
        return _from_counts.figure(sample, _from_counts.f1s, each=_from_counts.f1s_apart)
    return mean_figure(sample, lambda weights: f1_of_each(sample, weights))
