import contextlib
import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.data.decode import MAX_PIXELS, PictureError, decode, read_header, to_pixels

Encode = Callable[..., bytes]
CORNERS = [[(255, 0, 0), (0, 255, 0), (0, 0, 255)], [(9, 9, 9), (90, 90, 90), (255, 255, 0)]]  # (2, 3, 3)


def corners() -> np.ndarray:
    return np.array(CORNERS, dtype=np.uint8)


def png_header(width: int, height: int) -> bytes:
    """A PNG that says its size, and has no pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    end = b"IEND"
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
        + struct.pack(">I", 0) + end + struct.pack(">I", zlib.crc32(end))
    )  # fmt: skip


# How a camera stores the upright picture for each orientation (EXIF 2.32, table 6).
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a.transpose(1, 0, 2)[::-1],
    7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda a: a.transpose(1, 0, 2)[:, ::-1],
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
def test_all_orientations_are_turned_upright(orientation: int, format: str, encode: Encode) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](corners())))
    options = {"lossless": True} if format == "WEBP" else {}
    data = encode(stored, format, exif=exif, **options)
    np.testing.assert_array_equal(decode(data), corners())
    header = read_header(data)
    assert (header.height, header.width) == (2, 3)


def test_an_orientation_after_the_pixels_of_a_png_counts_in_the_header(encode: Encode) -> None:
    data = encode(Image.fromarray(corners()), "PNG")
    exif = Image.Exif()
    exif[0x0112] = 6
    chunk = b"eXIf" + exif.tobytes()[6:]
    late = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    moved = data[:-12] + late + data[-12:]
    assert decode(moved).shape == (3, 2, 3)
    assert (read_header(moved).height, read_header(moved).width) == (3, 2)


def test_real_photographs_in_all_orientations_agree(shared: Path) -> None:
    with zipfile.ZipFile(shared / "data/exif_orientation.zip") as archive:
        pictures = [archive.read(name) for name in archive.namelist()]
    assert len(pictures) == 9
    small = [decode(data, 100).astype(float) for data in pictures]
    assert {image.shape for image in small} == {(150, 225, 3)}
    assert max(np.abs(image - small[0]).mean() for image in small) < 5
    assert {(read_header(data).height, read_header(data).width) for data in pictures} == {(1200, 1800)}


@pytest.mark.parametrize(
    ("min_side", "shape"),
    [
        (None, (480, 720)),
        (241, (480, 720)),
        (240, (240, 360)),
        (121, (240, 360)),
        (60, (60, 90)),
        (1, (60, 90)),
    ],
)
def test_jpeg_is_decoded_at_the_smallest_scale_that_suffices(
    min_side: int | None, shape: tuple[int, int], encode: Encode
) -> None:
    data = encode(Image.new("RGB", (720, 480), (200, 30, 60)), "JPEG")
    image = decode(data, min_side)
    assert image.shape[:2] == shape
    np.testing.assert_allclose(image[5, 5], (200, 30, 60), atol=3)
    assert (read_header(data).height, read_header(data).width) == (480, 720)


def test_an_odd_side_is_rounded_up_as_libjpeg_does(encode: Encode) -> None:
    data = encode(Image.new("L", (255, 300)), "JPEG")
    assert decode(data, 128).shape == (150, 128, 1)
    assert decode(data, 129).shape == (300, 255, 1)


def test_a_tiny_jpeg_survives_any_min_side(encode: Encode) -> None:
    data = encode(Image.new("L", (3, 2)), "JPEG")
    assert decode(data, 1).shape == (1, 2, 1)  # half size
    assert decode(data, 100).shape == (2, 3, 1)


MODES: dict[str, tuple[float | tuple[float, ...], list[float]]] = {
    # mode: (colour, expected pixel)
    "1": (1, [255]),
    "L": (77, [77]),
    "LA": ((77, 0), [255]),
    "RGB": ((1, 2, 3), [1, 2, 3]),
    "RGBA": ((1, 2, 3, 0), [255, 255, 255]),
    "RGBX": ((1, 2, 3, 0), [1, 2, 3]),
    "CMYK": ((0, 255, 255, 0), [255, 0, 0]),
    "YCbCr": ((255, 128, 128), [255, 255, 255]),
    "HSV": ((0, 255, 255), [255, 0, 0]),
    "I;16": (65535, [255]),
    "I;16B": (257 * 3, [3]),
    "I;16L": (257 * 4, [4]),
    "I;16N": (257 * 5, [5]),
    "I": (257 * 200, [200]),
    "F": (0.5, [127.5]),
    "La": ((0, 0), [255]),
    "RGBa": ((0, 0, 0, 0), [255, 255, 255]),
}


@pytest.mark.parametrize("mode", MODES)
def test_modes(mode: str) -> None:
    colour, expected = MODES[mode]
    pixels = to_pixels(Image.new(mode, (3, 2), colour))
    assert pixels.shape == (2, 3, len(expected)) and pixels.flags.writeable
    assert pixels.dtype == (np.float32 if mode[0] in "IF" else np.uint8)
    assert pixels[1, 2].tolist() == expected


def test_lab_white_black_and_red() -> None:
    lab = Image.new("LAB", (3, 1))
    # L* 0..255; a*, b* + 128. sRGB red is L* 53.2, a* 80.1, b* 67.2 (D65); D50 moves it little.
    for x, colour in enumerate([(255, 128, 128), (0, 128, 128), (136, 208, 195)]):
        lab.putpixel((x, 0), colour)
    white, black, red = to_pixels(lab)[0].astype(int)
    assert white.min() > 250 and black.max() < 5
    assert red[0] > 245 and red[1:].max() < 50


def test_transparency_is_composited_over_white() -> None:
    half = Image.new("RGBA", (1, 1), (0, 100, 255, 128))
    assert to_pixels(half)[0, 0].tolist() == [127, 177, 255]
    grey = Image.new("LA", (1, 1), (100, 51))
    assert to_pixels(grey)[0, 0].tolist() == [224]  # 100 * 0.2 + 255 * 0.8


def test_palettes_with_and_without_transparency(encode: Encode) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    assert decode(encode(image, "PNG"))[0].tolist() == [[10, 20, 30], [200, 100, 50]]
    assert decode(encode(image, "PNG", transparency=1))[0].tolist() == [[10, 20, 30], [255, 255, 255]]
    each = decode(encode(image, "PNG", transparency=bytes([255, 0])))  # an alpha for each entry
    assert each[0].tolist() == [[10, 20, 30], [255, 255, 255]]
    assert decode(encode(image, "GIF", transparency=0))[0].tolist() == [[255, 255, 255], [200, 100, 50]]
    assert to_pixels(image.convert("PA"))[0].tolist() == [[10, 20, 30], [200, 100, 50]]


def test_one_transparent_colour_of_a_png(encode: Encode) -> None:
    grey = Image.fromarray(np.array([[5, 6]], dtype=np.uint8))
    assert decode(encode(grey, "PNG", transparency=5))[0].tolist() == [[255], [6]]
    deep = Image.fromarray(np.array([[2570, 2571]], dtype=np.uint16))
    np.testing.assert_allclose(decode(encode(deep, "PNG", transparency=2570))[0], [[255], [2571 / 257]], rtol=1e-6)
    colour = Image.fromarray(corners())
    assert decode(encode(colour, "PNG", transparency=(9, 9, 9)))[1, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_stay_apart(format: str, encode: Encode) -> None:
    values = np.array([[0, 128, 129, 257, 32768, 65535]], dtype=np.uint16)
    pixels = decode(encode(Image.fromarray(values), format))
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels, values[..., None] / 257, rtol=1e-6)


def test_cmyk_jpeg_of_adobe_is_not_inverted(encode: Encode) -> None:
    data = encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)
    assert b"Adobe" in data
    np.testing.assert_allclose(decode(data)[8, 8], (255, 0, 0), atol=6)


FORMATS = ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF", "JPEG2000", "QOI", "SGI", "PCX", "MPO"]


@pytest.mark.parametrize("format", FORMATS)
def test_formats_and_their_truncation(format: str, encode: Encode) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), format)
    assert decode(data).shape == (40, 60, 3)
    header = read_header(data)
    assert (header.height, header.width, header.grey) == (40, 60, False)
    for kept in (0.05, 0.5, 0.9):
        with pytest.raises(PictureError):
            decode(data[: int(kept * len(data))])


@pytest.mark.parametrize("format", ["JPEG", "PNG", "BMP", "TIFF", "PPM", "GIF"])
def test_grey_stays_one_channel(format: str, encode: Encode) -> None:
    data = encode(Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)), format)
    assert decode(data).shape == (16, 16, 1)
    assert read_header(data).grey


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", r"^empty file \(0 bytes\)$"),
        (b"name,age\nAnn,30\n", "^not a picture: its content is not of any known format$"),
        (b" <!DOCTYPE html><html>404</html>", "HTML page"),
        (bytes(1000), "1,000 zero bytes"),
        (b"\0\0\0\x18ftypqt  " + bytes(50), "^a video"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
        (
            png_header(20000, 20000),
            "^20000x20000 = 400 megapixels, above the limit of 179; make it smaller first$",
        ),
        (png_header(200, 200), "^(truncated|damaged)"),
    ],
)
def test_reasons(data: bytes, reason: str) -> None:
    with pytest.raises(PictureError, match=reason):
        decode(data)


def test_a_truncated_jpeg_says_where_it_ends(encode: Encode) -> None:
    data = encode(Image.effect_noise((64, 64), 50), "JPEG")[:1000]
    with pytest.raises(PictureError, match=r"^truncated: it ends early, after 1,000 bytes$"):
        decode(data)


def test_headers_of_bad_pictures_fail_alike() -> None:
    for data in (b"", b"hello", png_header(20000, 20000)):
        with pytest.raises(PictureError):
            read_header(data)


def test_a_large_picture_below_the_limit_gives_no_warning() -> None:
    assert MAX_PIXELS / 2 < 12000 * 9000  # where Image.open would warn
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_header(png_header(12000, 9000)).width == 12000


def test_damaged_exif_leaves_the_picture_as_stored(encode: Encode) -> None:
    data = encode(Image.fromarray(corners()), "PNG", exif=b"Exif\0\0" + b"XXXXXXXXXXXX")
    np.testing.assert_array_equal(decode(data), corners())


def test_no_byte_of_damage_escapes_as_another_error(encode: Encode) -> None:
    draw = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about damaged metadata
        for format in ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP"):
            data = encode(Image.fromarray(draw.integers(0, 255, (20, 20, 3), dtype=np.uint8)), format)
            for position in draw.integers(0, min(len(data), 300), 60):
                damaged = bytearray(data)
                damaged[position] ^= int(draw.integers(1, 256))
                with contextlib.suppress(PictureError):
                    assert decode(bytes(damaged), 8).dtype in (np.uint8, np.float32)


def test_threads_agree(encode: Encode) -> None:
    pictures = [encode(Image.effect_noise((50 + i, 40), 60), ("JPEG", "PNG", "WEBP", "TIFF")[i % 4]) for i in range(16)]
    alone = [decode(data, 16) for data in pictures]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda data: decode(data, 16), pictures * 5))
    for i, image in enumerate(together):
        np.testing.assert_array_equal(image, alone[i % 16])


def test_what_decode_says_is_what_pillow_sees(encode: Encode) -> None:
    data = encode(Image.fromarray(corners()).resize((30, 20)), "JPEG")
    np.testing.assert_array_equal(decode(data), np.asarray(Image.open(io.BytesIO(data))))
