"""Share of pictures whose most probable class is the true one, with its 95 % interval."""

import numpy as np

from sightline.metrics._interval import rate
from sightline.metrics._sample import Rate, Sample

TASK = "single"


def measure(sample: Sample) -> Rate:
    return rate(np.asarray(sample.decided == sample.labels), sample.groups)
