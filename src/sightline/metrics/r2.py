"""R2: the share of the numbers' variance that the answers explain; with several numbers, the mean over them.

1 is best, 0 is what always answering the mean of the tested pictures gives; below it, the answers do harm.
"""

from sightline.metrics._bootstrap import figure
from sightline.metrics._sample import Figure, Sample
from sightline.metrics.r2_each import explained

TASK = "number"


def measure(sample: Sample) -> Figure:
    return figure(sample, lambda weights: explained(sample, weights).mean(axis=1, keepdims=True))
