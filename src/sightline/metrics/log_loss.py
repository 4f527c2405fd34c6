"""Mean negative logarithm of the probability given to the true class, in nats."""

import numpy as np

from sightline.metrics._sample import Sample

TASK = "single"


def measure(sample: Sample) -> float:
    given = sample.outputs[np.arange(len(sample.labels)), sample.labels.astype(np.int64)]
    return float(-np.log(np.maximum(given, np.finfo(np.float64).tiny)).mean())
