"""The steps behind `data/decode.py`: one file, one step on the way from the bytes of a file to upright pixels.

Must not know paths, labels, data sets or torch.
"""

import numpy as np
from numpy.typing import NDArray

# A picture, (H, W, C): uint8, or float32 in the same units 0..255 where more than 8 bits a channel were stored.
Pixels = NDArray[np.uint8 | np.float32]
MAX_PIXELS = 178_956_970  # Pillow's own hard limit against decompression bombs: twice 1 GiB / 4 / 3


class PictureError(Exception):
    """A picture that cannot be read. The message is the reason alone; the caller knows the path."""


def check_size(width: int, height: int) -> None:
    """Raise PictureError for more than MAX_PIXELS, before any of them is decoded."""
    if width * height > MAX_PIXELS:
        raise PictureError(
            f"{width}x{height} = {width * height / 1e6:.0f} megapixels, above the limit of "
            f"{MAX_PIXELS / 1e6:.0f}; make it smaller first"
        )
