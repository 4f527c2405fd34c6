"""How often each class (row) was answered as each class (column)."""

import numpy as np
from numpy.typing import NDArray


def measure(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """(K, K) counts."""
    num_classes = probabilities.shape[1]
    cells = labels * num_classes + probabilities.argmax(axis=1)
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)
