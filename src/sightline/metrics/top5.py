"""Share of pictures whose true class is among the five most probable."""

import numpy as np

from sightline.metrics._sample import Sample

TASK = "single"
MIN_CLASSES = 10  # with fewer, five guesses are right by luck too often to mean anything


def measure(sample: Sample) -> float | None:
    if sample.outputs.shape[1] < MIN_CLASSES:
        return None
    best = np.argpartition(-sample.outputs, 5, axis=1)[:, :5]
    return float((best == sample.labels[:, None]).any(axis=1).mean())
