"""Share of pictures whose most probable class is the true one, with its 95 % interval."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.metrics._interval import wilson
from sightline.metrics._sample import Sample

TASK = "single"


@dataclass(frozen=True)
class Accuracy:
    value: float
    interval: tuple[float, float]


def measure(sample: Sample) -> Accuracy:
    return rate(np.asarray(sample.decided == sample.labels))


def rate(hits: NDArray[np.bool_]) -> Accuracy:
    """The share of (N,) that is true."""
    num = int(hits.sum())
    return Accuracy(num / len(hits), wilson(num, len(hits)))
