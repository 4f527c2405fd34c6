"""Values of any range -> pixels, and pixels of any depth -> something to look at. numpy alone.

The last step of every medical format, and the first of everything that is shown or measured.
"""

import numpy as np
from numpy.typing import NDArray

from sightline.data.decoding import Pixels


def stretched(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Values with `low` at 0 and `high` at 255, clipped. A constant picture is black."""
    if not low < high:
        return np.zeros(values.shape)
    return np.asarray((np.clip(values, low, high) - low) / (high - low) * 255.0, np.float64)


def as_pixels(greys: NDArray[np.float64]) -> Pixels:
    """Greys 0..255 (H, W) -> (H, W, 1): uint8 where all are whole, else float32 of 16 bits, as a PNG of that depth."""
    levels = np.rint(greys * 257).astype(np.uint16)
    if not (levels % 257).any():
        return (levels // 257).astype(np.uint8)[:, :, None]
    return (levels.astype(np.float32) / np.float32(257))[:, :, None]


def for_display(pixels: Pixels) -> NDArray[np.uint8]:
    """(H, W, C) -> uint8. Deep pictures are stretched from darkest to brightest, or many would look black."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    low, high = float(pixels.min()), float(pixels.max())
    return ((pixels - low) * (255 / max(high - low, 1e-6))).round().astype(np.uint8)
