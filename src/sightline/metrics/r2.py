"""R2: the share of the numbers' variance that the answers explain; of several, the mean over those that vary.

1 is best, 0 is what always answering the mean of the tested pictures gives; below it, the answers do harm.
"""

from sightline.metrics._bootstrap import mean_figure
from sightline.metrics._sample import Figure, Sample
from sightline.metrics.r2_each import explained

TASK = "number"


def measure(sample: Sample) -> Figure:
    return mean_figure(sample, lambda weights: explained(sample, weights))
