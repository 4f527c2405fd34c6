"""The Brier score: the squared distance of all probabilities of a picture from the truth (1 for its class, else 0).

Mean over the pictures, 0 to 2, with its 95 % interval (Brier, 1950). Of several classes a picture the mean over its
classes, each of which is there or not: 0 to 1.
"""

import numpy as np

from sightline.metrics._interval import of_mean
from sightline.metrics._sample import Figure, Sample

TASK = ("single", "multi")


def measure(sample: Sample) -> Figure:
    if sample.labels.ndim == 1:
        true = sample.outputs[np.arange(len(sample.labels)), sample.labels.astype(np.int64)]
        each = (sample.outputs**2).sum(axis=1) - 2 * true + 1  # (N,)
    else:
        each = ((sample.outputs - sample.labels) ** 2).mean(axis=1)
    return Figure(float(each.mean()), of_mean(each, sample.groups, 0.0, 2.0 if sample.labels.ndim == 1 else 1.0))
