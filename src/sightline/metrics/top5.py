"""Share of pictures whose true class is among the five most probable."""

import numpy as np
from numpy.typing import NDArray

MIN_CLASSES = 10  # with fewer, five guesses are right by luck too often to mean anything


def measure(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> float | None:
    if probabilities.shape[1] < MIN_CLASSES:
        return None
    best = np.argpartition(-probabilities, 5, axis=1)[:, :5]
    return float((best == labels[:, None]).any(axis=1).mean())
