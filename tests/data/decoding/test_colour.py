"""Colour profiles: applied where they differ from sRGB, by two routes."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageCms

from sightline.data.decode import decode, read_picture, to_pixels
from sightline.data.decoding.colour import to_srgb

from .profiles import ADOBE_RGB, SRGB, cmyk_profile, grey_profile, rgb_profile

Encode = Callable[..., bytes]
ADOBE = rgb_profile(ADOBE_RGB, 563 / 256)


def adobe_to_srgb(colour: tuple[int, int, int]) -> np.ndarray:
    """By the definition: linear light, matrices, IEC 61966-2-1's curve."""
    linear = np.linalg.inv(SRGB) @ np.array(ADOBE_RGB) @ (np.array(colour) / 255) ** (563 / 256)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.abs(linear) ** (1 / 2.4) - 0.055)
    return 255 * curved.clip(0, 1)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("colour", [(128, 64, 64), (60, 180, 90), (200, 200, 200), (30, 40, 160)])
def test_adobe_rgb_becomes_srgb(format: str, colour: tuple[int, int, int], encode: Encode) -> None:
    options = {"lossless": True} if format == "WEBP" else {"quality": 100} if format == "JPEG" else {}
    data = encode(Image.new("RGB", (16, 16), colour), format, icc_profile=ADOBE, **options)
    expected = adobe_to_srgb(colour)
    assert np.abs(expected - colour).max() > 5 or len(set(colour)) == 1  # the profile matters
    np.testing.assert_allclose(decode(data)[5, 5], expected, atol=3 if format == "JPEG" else 1.5)


def test_a_profile_that_is_srgb_leaves_every_bit(encode: Encode) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert to_srgb(profile, "RGB") is None
    np.testing.assert_array_equal(decode(encode(Image.fromarray(pixels), "PNG", icc_profile=profile)), pixels)


@pytest.mark.parametrize("gamma", [1.75, 2.25])
def test_a_grey_profile_is_a_curve(gamma: float, encode: Encode) -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    seen = decode(encode(Image.fromarray(ramp), "PNG", icc_profile=grey_profile(gamma)))
    assert seen.shape == (16, 16, 1)
    linear = (np.arange(256) / 255) ** gamma
    curve = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(255 * curve - np.arange(256)).max() > 5
    np.testing.assert_allclose(seen.ravel(), 255 * curve, atol=2)


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_goes_by_its_profile(format: str, encode: Encode) -> None:
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    options = {"quality": 100} if format == "JPEG" else {}
    by_rule = decode(encode(cyan, format, **options))[8, 8]
    np.testing.assert_allclose(by_rule, (0, 255, 255), atol=3)
    red = decode(encode(cyan, format, icc_profile=cmyk_profile((136, 208, 195)), **options))[8, 8].astype(int)
    assert red[0] > 240 and red[1:].max() < 60


@pytest.mark.parametrize("profile", [b"", b"no profile", ADOBE[:200], grey_profile(1.0), cmyk_profile((0, 128, 128))])
@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_damaged_and_foreign_profiles_count_as_none(profile: bytes, format: str, encode: Encode) -> None:
    image = Image.new("RGB", (16, 16), (128, 64, 64))
    np.testing.assert_array_equal(decode(encode(image, format, icc_profile=profile)), decode(encode(image, format)))


def test_a_scaled_jpeg_is_converted_too(encode: Encode) -> None:
    data = encode(Image.new("RGB", (640, 480), (60, 180, 90)), "JPEG", quality=95, icc_profile=ADOBE)
    small = decode(data, 100)
    assert small.shape[:2] == (120, 160)
    np.testing.assert_allclose(small[50, 50], adobe_to_srgb((60, 180, 90)), atol=4)


def test_threads_share_a_transform(encode: Encode) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), "PNG", icc_profile=ADOBE)
    alone = decode(data)
    with ThreadPoolExecutor(8) as pool:
        for seen in pool.map(decode, [data] * 40):
            np.testing.assert_array_equal(seen, alone)


def test_every_way_in_agrees(encode: Encode) -> None:
    data = encode(Image.new("RGB", (16, 16), (60, 180, 90)), "PNG", icc_profile=ADOBE)
    image = Image.open(io.BytesIO(data))
    image.load()
    for pixels in (read_picture(data)[1], to_pixels(image), to_pixels(Image.open(io.BytesIO(data)))):
        np.testing.assert_array_equal(pixels, decode(data))
