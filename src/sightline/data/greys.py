"""Measured values -> grey pixels. Comes in: values of any range, such as Hounsfield units; goes out: pixels 0..255.

The last steps of every medical format, so that how deep pixels are kept is settled here alone.
"""

import numpy as np
from numpy.typing import NDArray


def stretched(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Values with `low` at 0 and `high` at 255, clipped. A constant picture is black."""
    if not low < high:
        return np.zeros(values.shape)
    return np.asarray((np.clip(values, low, high) - low) / (high - low) * 255.0, np.float64)


def as_pixels(greys: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Greys 0..255 (H, W) -> (H, W, 1), rounded to 8 bits."""
    return np.asarray(np.rint(greys), np.uint8)[:, :, None]
