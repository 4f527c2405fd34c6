"""A picture of a data set, small enough for a page. Comes in: a Dataset and a row; goes out: bytes of a PNG or JPEG."""

import io

import numpy as np
from PIL import Image

from sightline.data.dataset import Dataset
from sightline.data.decoding import Pixels
from sightline.data.medical.greys import for_display

NUM_EXAMPLES = 12
USUAL_SIDE = 256  # pixels; a card is some 220 wide
SHARP_SIDE = 64  # pixels; JPEG would blur a picture this small


def thumbnail(dataset: Dataset, row: int, side: int = USUAL_SIDE) -> bytes:
    """At most `side` pixels a side, never blown up. Raises PictureError or OSError if it cannot be read."""
    return encoded(for_display(dataset.images.pixels(row, side)), side)


def encoded(pixels: Pixels, side: int = USUAL_SIDE) -> bytes:
    """(H, W, 1 or 3), uint8 or float32 0..255, likewise."""
    pixels = pixels if pixels.dtype == np.uint8 else np.rint(pixels).astype(np.uint8)
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    picture.thumbnail((side, side))
    buffer = io.BytesIO()
    if max(picture.size) <= SHARP_SIDE:
        picture.save(buffer, "PNG")
    else:
        picture.save(buffer, "JPEG", quality=75)
    return buffer.getvalue()
