"""Mean negative logarithm of the probability given to the true class, in nats.

Of several classes a picture: given to what is true of each, that it is there or that it is not; the mean over them.
"""

import numpy as np

from sightline.metrics._sample import Sample

TASK = ("single", "multi")


def measure(sample: Sample) -> float:
    if sample.labels.ndim == 1:
        given = sample.outputs[np.arange(len(sample.labels)), sample.labels.astype(np.int64)]
    else:
        given = np.where(sample.labels > 0, sample.outputs, 1 - sample.outputs)
    return float(-np.log(np.maximum(given, np.finfo(np.float64).tiny)).mean())
