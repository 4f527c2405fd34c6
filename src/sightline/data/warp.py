"""Pixels moved: shifted, turned, scaled, bent. Comes in: (H, W, C); goes out: the same shape, bilinear.

Beyond its edges a picture goes on mirrored. numpy alone; the augmentations of whole batches have their own in torch.
"""

from math import cos, radians, sin
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Number = TypeVar("Number", np.intp, np.float32, np.float64)


def mirrored(places: NDArray[Number], side: int) -> NDArray[Number]:
    """Places along a side, those beyond 0 .. side - 1 folded back; edges are repeated."""
    inside = np.mod(2 * places + 1, 4 * side)  # in half pixels from the edge, where whole numbers stay whole
    folded = np.minimum(inside, 4 * side - inside)
    found = (folded - 1) // 2 if places.dtype.kind == "i" else (folded - 1) / 2
    return np.asarray(found.clip(0, side - 1), places.dtype)


def sampled(image: Floats, y: NDArray[np.float64], x: NDArray[np.float64]) -> Floats:
    """What lies at the places y, x, (H, W) each, in pixels of `image` (h, w, C) -> (H, W, C)."""
    height, width = image.shape[:2]
    (top, below, down), (left, beside, right) = _between(y, height), _between(x, width)
    flat, right, down = image.reshape(height * width, -1), right[..., None], down[..., None]
    upper = flat[top * width + left] * (1 - right) + flat[top * width + beside] * right
    lower = flat[below * width + left] * (1 - right) + flat[below * width + beside] * right
    return np.asarray(upper * (1 - down) + lower * down)


def stretched(image: Floats, height: int, width: int, zoom: float = 1.0) -> Floats:
    """(h, w, C) -> (height, width, C), corner on corner; or its middle, `zoom` times as large."""
    rows, columns = (
        (side - 1) * (0.5 + (np.linspace(0, 1, num) - 0.5) / zoom)
        for side, num in ((image.shape[0], height), (image.shape[1], width))
    )
    (top, below, down), (left, beside, right) = _between(rows, image.shape[0]), _between(columns, image.shape[1])
    tall = image[top] * (1 - down[:, None, None]) + image[below] * down[:, None, None]
    return np.asarray(tall[:, left] * (1 - right[:, None]) + tall[:, beside] * right[:, None], np.float32)


def moved(image: Floats, degrees: float = 0.0, scale: float = 1.0, shift: tuple[float, float] = (0.0, 0.0)) -> Floats:
    """Turned about its middle (anticlockwise), scaled, then shifted by (down, right) pixels."""
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float64)
    y, x = y - (height - 1) / 2 - shift[0], x - (width - 1) / 2 - shift[1]
    sine, cosine = sin(radians(degrees)) / scale, cos(radians(degrees)) / scale
    return sampled(image, cosine * y + sine * x + (height - 1) / 2, cosine * x - sine * y + (width - 1) / 2)


def _between(places: NDArray[np.float64], side: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """The pixels before and behind each place, and how far it is from the first to the second."""
    inside = mirrored(places, side)
    before = np.floor(inside).astype(np.intp)
    return before, np.minimum(before + 1, side - 1), (inside - before).astype(np.float32)
