"""A PNG that holds fewer rows than it says is an error; one that is black at its end is not."""

import io
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from sightline.data.decode import PictureError, decode
from sightline.data.decoding.png import num_packed


def png(width: int, height: int, bits: int, colour_type: int, packed: bytes, interlaced: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, interlaced)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(packed)), (b"IEND", b"")]
    if colour_type == 3:
        parts.insert(1, (b"PLTE", bytes(range(48))))
    chunks = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


KINDS = [(8, 0), (16, 0), (8, 2), (16, 2), (4, 3), (8, 4), (16, 4), (8, 6), (16, 6), (1, 0)]


@pytest.mark.parametrize(("bits", "colour_type"), KINDS)
@pytest.mark.parametrize("shade", [0, 17])
def test_missing_rows_are_told(bits: int, colour_type: int, shade: int) -> None:
    size = num_packed(png(13, 8, bits, colour_type, b""))
    packed = b"".join(b"\0" + bytes([shade]) * (size // 8 - 1) for _ in range(8))
    whole = png(13, 8, bits, colour_type, packed)
    Image.open(io.BytesIO(whole)).load()
    assert decode(whole).shape[:2] == (8, 13)
    for rows in (1, 4, 7):
        with pytest.raises(PictureError, match=r"^truncated: it holds fewer rows than it says, in \d+ bytes$"):
            decode(png(13, 8, bits, colour_type, packed[: size // 8 * rows]))


def test_missing_passes_are_told() -> None:
    """Adam7 of 8x8: passes of 1, 1, 2, 4, 8, 16 and 32 pixels, in 1, 1, 1, 2, 2, 4 and 4 rows: 64 + 15 bytes."""
    packed = bytes(2 * 2) + bytes(3) + bytes(3 * 2) + bytes(5 * 2) + bytes(5 * 4) + bytes(9 * 4)
    assert len(packed) == 79 == num_packed(png(8, 8, 8, 0, b"", 1))
    assert decode(png(8, 8, 8, 0, packed, 1)).shape == (8, 8, 1)
    with pytest.raises(PictureError, match=r"^truncated"):
        decode(png(8, 8, 8, 0, packed[:-9], 1))
    assert num_packed(png(1, 1, 8, 2, b"", 1)) == 4  # only the first pass has pixels


def test_a_black_end_is_no_damage() -> None:
    pixels = np.zeros((50, 60, 3), np.uint8)
    pixels[:20] = 200
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    np.testing.assert_array_equal(decode(file.getvalue()), pixels)


def test_a_kilobyte_that_says_it_is_huge_is_refused_at_once() -> None:
    start = time.perf_counter()
    with pytest.raises(PictureError, match=r"^truncated"):
        decode(png(33, 5_000_000, 8, 6, bytes(400)))
    assert time.perf_counter() - start < 1
