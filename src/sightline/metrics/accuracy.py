"""Share of pictures whose most probable class is the true one, with its 95 % interval."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.metrics._interval import wilson


@dataclass(frozen=True)
class Accuracy:
    value: float
    interval: tuple[float, float]


def measure(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> Accuracy:
    hits = int((probabilities.argmax(axis=1) == labels).sum())
    return Accuracy(hits / len(labels), wilson(hits, len(labels)))
