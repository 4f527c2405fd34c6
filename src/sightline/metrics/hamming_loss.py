"""Share of all yes-or-no answers that are wrong."""

from sightline.metrics._bootstrap import figure
from sightline.metrics._sample import Figure, Sample

TASK = "multi"


def measure(sample: Sample) -> Figure:
    wrong = (sample.labels != sample.decided).mean(axis=1)  # (N, K) -> (N,)
    return figure(sample, lambda weights: (weights @ wrong / weights.sum(axis=1))[:, None])
