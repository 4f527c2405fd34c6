"""Mean negative logarithm of the probability given to the true class, in nats."""

import numpy as np
from numpy.typing import NDArray


def measure(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    given = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(given, np.finfo(np.float64).tiny)).mean())
