"""The Brier score: the squared distance of all probabilities of a picture from the truth (1 for its class, else 0).

Mean over the pictures, 0 to 2, with its 95 % interval (Brier, 1950).
"""

import numpy as np

from sightline.metrics._interval import of_mean
from sightline.metrics._sample import Figure, Sample

TASK = "single"


def measure(sample: Sample) -> Figure:
    true = sample.outputs[np.arange(len(sample.labels)), sample.labels.astype(np.int64)]
    each = (sample.outputs**2).sum(axis=1) - 2 * true + 1  # (N,)
    return Figure(float(each.mean()), of_mean(each, sample.groups))
