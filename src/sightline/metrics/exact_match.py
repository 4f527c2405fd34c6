"""Share of pictures whose classes were all answered right, none missed and none too many."""

from sightline.metrics._bootstrap import figure
from sightline.metrics._interval import wilson
from sightline.metrics._sample import Figure, Sample

TASK = "multi"


def measure(sample: Sample) -> Figure:
    right = (sample.labels == sample.decided).all(axis=1)
    if sample.groups is not None:
        return figure(sample, lambda weights: (weights @ right / weights.sum(axis=1))[:, None])
    return Figure(float(right.mean()), wilson(int(right.sum()), len(right)))
