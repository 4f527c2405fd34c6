"""How often each class (row) was answered as each class (column)."""

import numpy as np
from numpy.typing import NDArray

from sightline.metrics._sample import Sample

TASK = "single"


def measure(sample: Sample) -> NDArray[np.int64]:
    """(K, K) counts."""
    num_classes = sample.outputs.shape[1]
    cells = (sample.labels * num_classes + sample.decided).astype(np.int64)
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)
