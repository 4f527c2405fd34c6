"""Netpbm's pictures of more than 8 bits: binary PGM and PPM of 16 bits, and PFM. Comes in: bytes; goes out: pixels.

Pillow reduces PPM of 16 bits to 8, and does not read colour PFM. Sources: netpbm's pgm(5), ppm(5), and Paul Debevec's
description of PFM. What has 8 bits or fewer, or is written as text, is Pillow's.
"""

import re
from dataclasses import dataclass

import numpy as np

from sightline.data.decoding import PictureError, Pixels, check_size
from sightline.data.decoding.deep import check_range, in_units
from sightline.data.decoding.header import Header

GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"  # white space and comments
WHOLE = re.compile(rb"P([56])" + GAP + rb"(\d{1,9})" + GAP + rb"(\d{1,9})" + GAP + rb"(\d{1,9})\s")
FLOAT = re.compile(rb"P([Ff])\s+(\d{1,9})\s+(\d{1,9})\s+([-+]?[\d.eE+-]{1,30})\s")
MAX_HEADER = 4096  # bytes, comments and all


@dataclass(frozen=True)
class DeepPnm:
    """The header of such a file. white: the stored value of white. bottom_up: whether the last row comes first."""

    width: int
    height: int
    channels: int
    dtype: np.dtype[np.generic]
    white: float
    start: int
    bottom_up: bool

    def header(self, num_bytes: int) -> Header:
        mode = "RGB" if self.channels == 3 else "F" if self.dtype.kind == "f" else "I;16"
        bits = 8 * self.dtype.itemsize
        return Header(self.width, self.height, mode, "PPM", self.channels == 1, bits, num_bytes=num_bytes)

    def pixels(self, data: bytes) -> Pixels:
        """float32 (H, W, 1 or 3), 0..255. Raises PictureError."""
        count = self.width * self.height * self.channels
        if len(data) - self.start < count * self.dtype.itemsize:
            raise PictureError(f"truncated: it ends early, after {len(data):,} bytes")
        stored = np.frombuffer(data, self.dtype, count, self.start)
        check_range(stored, 0, self.white, "scale them")
        stored = stored.reshape(self.height, self.width, self.channels)
        return in_units(stored[:: -1 if self.bottom_up else 1], 0, self.white)


def read_deep_pnm(data: bytes) -> DeepPnm | None:
    """The header of a binary PGM or PPM of 9 to 16 bits or of a PFM; None for any other file. Raises PictureError."""
    if found := WHOLE.match(data[:MAX_HEADER]):
        width, height, white = (int(found[i]) for i in (2, 3, 4))
        if not 256 <= white <= 65535:
            return None
        channels, is_float = (1 if found[1] == b"5" else 3), False
        dtype: np.dtype[np.generic] = np.dtype(">u2")
    elif found := FLOAT.match(data[:MAX_HEADER]):
        width, height, white = int(found[2]), int(found[3]), 1
        little = found[4].startswith(b"-")  # the sign of the scale is the order of the bytes
        channels, is_float = (1 if found[1] == b"f" else 3), True
        dtype = np.dtype("<f4" if little else ">f4")
    else:
        return None
    if not (width and height):
        raise PictureError(f"damaged: it says that it is {width}x{height} pixels large")
    check_size(width, height)
    return DeepPnm(width, height, channels, dtype, white, found.end(), bottom_up=is_float)
