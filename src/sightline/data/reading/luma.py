"""Colour -> grey levels, for what is measured of pictures. Comes in: uint8 (..., 3) or (..., 1); goes out: uint8 (...).

ITU-R 601 in 256ths, rounded. In whole numbers of 16 bits, which hold 255 x 256 + 128, so that a picture's levels are
the same on every machine and beside any other pictures.
"""

import numpy as np
from numpy.typing import NDArray

from sightline.data.decoding import Pixels

RED, GREEN, BLUE, HALF = (np.uint16(value) for value in (77, 150, 29, 128))


def luma(pixels: Pixels) -> NDArray[np.uint8]:
    """uint8 (..., C) -> (...), C = 3 or 1."""
    if pixels.shape[-1] == 1:
        return pixels[..., 0].astype(np.uint8, copy=False)
    levels = np.multiply(pixels[..., 0], RED, dtype=np.uint16)
    levels += np.multiply(pixels[..., 1], GREEN, dtype=np.uint16)
    levels += np.multiply(pixels[..., 2], BLUE, dtype=np.uint16)
    levels += HALF
    levels >>= 8
    return levels.astype(np.uint8)
