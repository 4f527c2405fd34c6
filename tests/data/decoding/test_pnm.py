"""PGM and PPM of 16 bits, and PFM, from bytes written out by hand."""

import struct

import numpy as np
import pytest

from sightline.data.decode import PictureError, decode, read_header


def test_pgm_and_ppm_of_16_bits() -> None:
    grey = b"P5\n# a comment\n3 1 # another\n65535\n" + struct.pack(">3H", 0, 257, 65535)
    np.testing.assert_allclose(decode(grey).ravel(), [0, 1, 255], rtol=1e-6)
    colour = b"P6 1 2 65535\n" + struct.pack(">6H", 1, 2, 3, 4, 5, 6)
    seen = decode(colour)
    assert seen.shape == (2, 1, 3) and seen.dtype == np.float32
    np.testing.assert_allclose(seen.ravel() * 257, [1, 2, 3, 4, 5, 6], rtol=1e-6)
    header = read_header(colour)
    assert (header.height, header.width, header.bits, header.grey, header.format) == (2, 1, 16, False, "PPM")


def test_the_largest_value_is_white() -> None:
    ten_bits = b"P5 2 1 1023\n" + struct.pack(">2H", 1023, 511)
    np.testing.assert_allclose(decode(ten_bits).ravel(), [255, 511 * 255 / 1023], rtol=1e-6)
    with pytest.raises(PictureError, match=r"^16-bit pixels from 0 to 1024, not 0 to 1023"):
        decode(b"P5 2 1 1023\n" + struct.pack(">2H", 1024, 0))


def test_eight_bits_stay_eight_bits() -> None:
    assert decode(b"P5 2 1 255\n\x05\xff").dtype == np.uint8
    assert decode(b"P6 1 1 255\n\x05\x06\xff").ravel().tolist() == [5, 6, 255]


@pytest.mark.parametrize("order", ["<", ">"])
def test_pfm_is_stored_from_below(order: str) -> None:
    scale = b"-1.0" if order == "<" else b"1.0"
    grey = b"Pf\n1 2\n" + scale + b"\n" + struct.pack(order + "2f", 0.0, 1.0)
    assert decode(grey).ravel().tolist() == [255.0, 0.0]
    colour = b"PF\n1 1\n" + scale + b"\n" + struct.pack(order + "3f", 0.0, 0.5, 1.0)
    assert decode(colour).ravel().tolist() == [0.0, 127.5, 255.0]
    assert read_header(colour).bits == 32 and not read_header(colour).grey


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"P5 2 2 65535\n" + bytes(7), "^truncated: it ends early, after 20 bytes$"),
        (b"PF\n2 2\n-1.0\n" + bytes(47), "^truncated"),
        (
            b"PF\n1 1\n-1.0\n" + struct.pack("<3f", 0, 0, 7),
            "^floating-point pixels from 0 to 7, not 0 to 1; scale them$",
        ),
        (b"P6 0 4 65535\n", "0x4 pixels"),
        (b"P6 99999 99999 65535\n", "above the limit"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, reason: str) -> None:
    with pytest.raises(PictureError, match=reason):
        decode(data)
