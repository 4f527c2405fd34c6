"""Whether a PNG holds all of its rows. Comes in: the bytes, and the last row that Pillow made of them.

Pillow takes a stream of compressed rows that ends well but early for a whole picture, and leaves the rest black.
Source: the PNG specification, third edition, sections 7 (filtered rows), 8 (interlacing) and 11 (chunks).
"""

import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sightline.data.decoding import PictureError

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
# First column and row of each pass of Adam7, and the steps between columns and between rows.
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
MAX_RATIO = 1040  # deflate packs at most 258 bytes into two bits, and headers are small
CHUNK = 2**20  # bytes inflated at a time


def check_size_is_possible(data: bytes) -> None:
    """Raise PictureError, before any memory is taken, where so few bytes cannot hold so many pixels."""
    if num_packed(data) > MAX_RATIO * len(data):
        raise PictureError(_reason(data))


def check_is_whole(data: bytes, last_row: NDArray[np.generic]) -> None:
    """Raise PictureError if rows are missing. `last_row`: of the pixels as Pillow has them.

    Missing rows are zeros, so only a picture that ends in zeros, or is interlaced, is inflated again and counted.
    """
    if data[28] == 0 and last_row.any():
        return
    wanted, unpacker = num_packed(data), zlib.decompressobj()
    for part in _compressed(data):
        while part and wanted > 0:
            wanted -= len(unpacker.decompress(part, CHUNK))
            part = unpacker.unconsumed_tail
    if wanted > 0 and len(unpacker.flush()) < wanted:
        raise PictureError(_reason(data))


def num_packed(data: bytes) -> int:
    """Bytes of all rows before they are compressed, a filter byte each, by the header of a PNG."""
    width, height = (int.from_bytes(data[i : i + 4], "big") for i in (16, 20))
    bits = data[24] * CHANNELS.get(data[25], 1)
    passes = ADAM7 if data[28] == 1 else ((0, 0, 1, 1),)
    total = 0
    for left, top, right, down in passes:
        columns, rows = -(-(width - left) // right), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * bits // 8))
    return total


def _compressed(data: bytes) -> Iterator[bytes]:
    """The contents of the IDAT chunks."""
    at = 8
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"IDAT":
            yield data[at + 8 : at + 8 + length]
        at += 12 + length


def _reason(data: bytes) -> str:
    return f"truncated: it holds fewer rows than it says, in {len(data):,} bytes"
