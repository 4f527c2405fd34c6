"""Pictures of more than 8 bits: every value arrives, through every step, and nothing turns them to 8 bits unasked."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from sightline.data.decode import PictureError, decode, read_header, read_picture, to_pixels
from sightline.data.decoding.deep import deep_array

Encode = Callable[..., bytes]
COLOUR_TYPES = {1: 0, 3: 2, 2: 4, 4: 6}  # PNG's, by the number of channels


def values(channels: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 65536, (5, 7, channels), dtype=np.uint16)


def png(pixels: np.ndarray, chunks: bytes = b"", filter: int = 0) -> bytes:
    """A 16-bit PNG, by the specification; filter 0 (none) or 1 (sub)."""
    height, width, channels = pixels.shape
    rows = pixels.astype(">u2").reshape(height, -1).view(np.uint8).copy()
    if filter == 1:
        rows[:, 2 * channels :] -= rows[:, : -2 * channels].copy()
    data = b"".join(bytes([filter]) + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 16, COLOUR_TYPES[channels], 0, 0, 0)
    body = chunk(b"IHDR", header) + chunks + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def tiff(pixels: np.ndarray, order: str = "<", **tags: int | float) -> bytes:
    """An uncompressed TIFF 6.0 in one strip, of any kind of samples."""
    height, width, channels = pixels.shape
    kind = {"u": 1, "i": 2, "f": 3}[pixels.dtype.kind]
    entries: dict[int, tuple[int, bytes]] = {}

    def number(tag: int, *numbers: int) -> None:
        entries[tag] = 3, struct.pack(f"{order}{len(numbers)}H", *numbers)

    number(256, width), number(257, height), number(258, *[8 * pixels.dtype.itemsize] * channels)
    number(259, 1), number(262, int(tags.pop("photometric", 1 if channels == 1 else 2)))
    number(277, channels), number(278, height), number(284, int(tags.pop("planes", 1)))
    number(339, *[kind] * channels)
    if "orientation" in tags:
        number(274, int(tags.pop("orientation")))
    if "extra" in tags:
        number(338, int(tags.pop("extra")))
    for name, tag in (("low", 340), ("high", 341)):
        if name in tags:
            entries[tag] = 11, struct.pack(order + "f", tags[name])
    entries[273], entries[279] = (4, bytes(4)), (4, struct.pack(order + "I", pixels.nbytes))
    size = {3: 2, 4: 4, 11: 4}
    start = 8 + 2 + 12 * len(entries) + 4
    extra = b""
    table = struct.pack(order + "H", len(entries))
    long = {tag: value for tag, (_, value) in entries.items() if len(value) > 4}
    body = start + sum(len(value) for value in long.values())
    entries[273] = 4, struct.pack(order + "I", body)
    for tag, (type_, value) in sorted(entries.items()):
        table += struct.pack(order + "HHI", tag, type_, len(value) // size[type_])
        if len(value) > 4:
            table += struct.pack(order + "I", start + len(extra))
            extra += value
        else:
            table += value.ljust(4, b"\0")
    magic = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    return magic + table + bytes(4) + extra + pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()


def assert_exactly(pixels: np.ndarray, stored: np.ndarray) -> None:
    """float32 that gives each stored 16-bit value back."""
    assert pixels.dtype == np.float32 and pixels.shape == stored.shape
    assert pixels.flags.writeable and pixels.flags.c_contiguous
    np.testing.assert_array_equal(np.round(pixels.astype(float) * 257).astype(int), stored)
    np.testing.assert_allclose(pixels, stored / 257, rtol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("filter", [0, 1])
def test_every_value_of_a_16_bit_png_arrives(channels: int, filter: int) -> None:
    stored = values(channels)
    data = png(stored, filter=filter)
    assert_exactly(decode(data), stored)
    header = read_header(data)
    assert header.bits == 16 and header.grey == (channels == 1)


def test_black_and_white_stay_black_and_white() -> None:
    for data in (png(np.array([[[0], [65535]]], np.uint16)), tiff(np.array([[[0], [65535]]], np.uint16))):
        assert decode(data).ravel().tolist() == [0.0, 255.0]


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_of_16_bits_is_composited_over_white(channels: int) -> None:
    stored = values(channels)
    stored[0, 0, -1], stored[0, 1, -1] = 0, 65535
    seen = decode(png(stored))
    alpha = stored[..., -1:] / 65535
    np.testing.assert_allclose(seen, stored[..., :-1] / 257 * alpha + 255 * (1 - alpha), atol=1e-3)
    assert (seen[0, 0] == 255).all()
    np.testing.assert_allclose(seen[0, 1], stored[0, 1, :-1] / 257, rtol=1e-6)
    assert read_header(png(stored)).grey == (channels == 2)


def test_the_one_transparent_colour_of_a_16_bit_png() -> None:
    stored = values(3)
    stored[1, 1] = 1000, 2000, 3000
    stored[1, 2] = 1000, 2000, 3001  # its neighbour in the lower bytes is another colour
    seen = decode(png(stored, chunk(b"tRNS", struct.pack(">3H", 1000, 2000, 3000))))
    assert (seen[1, 1] == 255).all()
    np.testing.assert_allclose(seen[1, 2] * 257, stored[1, 2], rtol=1e-6)
    grey = decode(png(np.array([[[2570], [2571]]], np.uint16), chunk(b"tRNS", struct.pack(">H", 2570))))
    assert grey[0, 0, 0] == 255 and round(float(grey[0, 1, 0]) * 257) == 2571


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_value_of_a_16_bit_tiff_arrives(order: str, channels: int) -> None:
    stored = values(channels)
    data = tiff(stored, order)
    assert_exactly(decode(data), stored)
    assert read_header(data).bits == 16


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_compressed_16_bit_tiff(compression: str, encode: Encode) -> None:
    grey = values(1)
    assert_exactly(decode(encode(Image.fromarray(grey[..., 0]), "TIFF", compression=compression)), grey)


def test_compressed_16_bit_colour_tiff() -> None:
    """Deflate by hand: the strip of an uncompressed one, compressed, with the tags changed."""
    stored = values(3)
    plain = tiff(stored)
    strip = stored.astype("<u2").tobytes()
    data = bytearray(plain.replace(strip, zlib.compress(strip)))
    for i in range(struct.unpack_from("<H", data, 8)[0]):
        tag = struct.unpack_from("<H", data, 10 + 12 * i)[0]
        if tag == 259:
            struct.pack_into("<H", data, 10 + 12 * i + 8, 8)
        if tag == 279:
            struct.pack_into("<I", data, 10 + 12 * i + 8, len(zlib.compress(strip)))
    assert_exactly(decode(bytes(data)), stored)


@pytest.mark.parametrize("extra", [1, 2])
def test_alpha_of_16_bit_tiff_premultiplied_or_not(extra: int) -> None:
    stored = values(4)
    alpha = stored[..., 3:] / 65535
    if extra == 1:
        stored[..., :3] = stored[..., :3] * alpha  # no colour exceeds its alpha
    colour = stored[..., :3] / 257
    expected = (colour if extra == 1 else colour * alpha) + 255 * (1 - alpha)
    np.testing.assert_allclose(decode(tiff(stored, extra=extra)), expected, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("orientation", [3, 6])
def test_deep_tiffs_are_turned_upright(channels: int, orientation: int) -> None:
    stored = values(channels)
    data = tiff(stored, orientation=orientation)
    turned = stored[::-1, ::-1] if orientation == 3 else stored.transpose(1, 0, 2)[:, ::-1]
    assert_exactly(decode(data), turned)
    header = read_header(data)
    assert (header.height, header.width) == turned.shape[:2]


def test_deep_pngs_are_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for channels in (1, 3):
        stored = values(channels)
        seen = decode(png(stored, chunk(b"eXIf", exif.tobytes()[6:])))
        assert_exactly(seen, stored.transpose(1, 0, 2)[:, ::-1])


def test_white_is_zero_where_the_tiff_says_so() -> None:
    stored = values(1)
    assert_exactly(decode(tiff(stored, photometric=0)), 65535 - stored)


def test_colours_stored_apart_are_refused() -> None:
    with pytest.raises(PictureError, match="stores its colours apart"):
        decode(tiff(values(3), planes=2))


def test_floats_from_0_to_1() -> None:
    stored = np.array([[[0.0], [0.25], [1.0]]], np.float32)
    assert decode(tiff(stored)).ravel().tolist() == [0.0, 63.75, 255.0]
    header = read_header(tiff(stored))
    assert header.bits == 32 and header.grey


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        (
            np.array([[[0.0], [2.5]]], np.float32),
            "^floating-point pixels from 0 to 2.5, not 0 to 1; scale them or say .*SMin",
        ),
        (np.array([[[-0.5], [1]]], np.float32), "^floating-point pixels from -0.5 to 1, not 0 to 1"),
        (np.array([[[np.nan], [1]]], np.float32), "no numbers"),
        (np.array([[[np.inf], [1]]], np.float32), "no numbers"),
        (np.array([[[70000], [1]]], np.int32), "^32-bit pixels from 1 to 70000, not 0 to 65535; scale them or say"),
        (np.array([[[-1], [1]]], np.int16), "pixels from -1 to 1, not 0 to 65535"),
    ],
)
def test_values_without_a_meaning_say_how_to_mend_it(stored: np.ndarray, reason: str) -> None:
    with pytest.raises(PictureError, match=reason):
        decode(tiff(stored))


def test_tags_say_what_is_black_and_white() -> None:
    hounsfield = np.array([[[-1000], [0], [1000]]], np.int16)
    assert decode(tiff(hounsfield, low=-1000, high=1000)).ravel().tolist() == [0.0, 127.5, 255.0]
    depth = np.array([[[2.0], [6.0]]], np.float32)
    assert decode(tiff(depth, low=2, high=10)).ravel().tolist() == [0.0, 127.5]
    whole = np.array([[[0], [100_000]]], np.int32)
    assert decode(tiff(whole, low=0, high=100_000)).ravel().tolist() == [0.0, 255.0]
    with pytest.raises(PictureError, match="SMinSampleValue and SMaxSampleValue say otherwise"):
        decode(tiff(depth, low=0, high=5))


def test_twelve_bit_tiff_reaches_white() -> None:
    """Two 12-bit samples in three bytes."""
    data = bytearray(tiff(np.zeros((1, 2, 1), np.uint16)))
    for i in range(struct.unpack_from("<H", data, 8)[0]):
        if struct.unpack_from("<H", data, 10 + 12 * i)[0] == 258:
            struct.pack_into("<H", data, 10 + 12 * i + 8, 12)
    data[-4:] = bytes([0xFF, 0xF0, 0x10, 0])  # 0xFFF, 0x010
    np.testing.assert_allclose(decode(bytes(data)).ravel(), [255, 16 * 255 / 4095], rtol=1e-6)


def test_pillow_images_in_memory() -> None:
    stored = values(1)
    assert_exactly(to_pixels(Image.fromarray(stored[..., 0])), stored)
    floats = Image.fromarray(np.array([[0.5]], np.float32))
    assert to_pixels(floats).ravel().tolist() == [127.5]
    for data in (png(values(3)), png(values(1)), tiff(values(3))):
        np.testing.assert_array_equal(to_pixels(Image.open(io.BytesIO(data))), decode(data))
        np.testing.assert_array_equal(read_picture(data)[1], decode(data))


def test_arrays() -> None:
    stored = values(3)
    assert_exactly(deep_array(stored), stored)
    np.testing.assert_allclose(deep_array(stored / 65535), stored / 257, rtol=1e-6)
    clear = np.zeros((1, 1, 4), np.float32)
    assert (deep_array(clear) == 255).all()
    with pytest.raises(PictureError, match="floating-point pixels from 0 to 2"):
        deep_array(np.array([[[0.0], [2.0]]]))


def test_a_cut_deep_picture_is_an_error() -> None:
    for data in (png(values(3)), png(values(1)), png(values(2)), tiff(values(3)), tiff(values(1))):
        with pytest.raises(PictureError):
            decode(data[: len(data) * 3 // 4])


@pytest.mark.parametrize(
    "pixels", [values(1), values(3), np.zeros((5, 7, 1), np.uint8), np.zeros((5, 7, 1), np.float32)]
)
def test_strips_that_cover_a_part_are_an_error(pixels: np.ndarray) -> None:
    """Five rows in the one strip, and a height of fifteen; Pillow makes ten black rows of that."""
    data = bytearray(tiff(pixels))
    assert decode(bytes(data)).shape == pixels.shape
    for i in range(struct.unpack_from("<H", data, 8)[0]):
        if struct.unpack_from("<H", data, 10 + 12 * i)[0] == 257:
            struct.pack_into("<H", data, 10 + 12 * i + 8, 15)
    with pytest.raises(PictureError, match=r"^truncated: it holds fewer rows than it says"):
        decode(bytes(data))


def test_pillow_still_unpacks_either_byte() -> None:
    """`deep_colour` stands on these raw modes; a Pillow that drops them must fail here, not by other colours."""
    for mode in ("RGB", "RGBA"):
        raw = np.array([[0x1234] * len(mode)], "<u2").tobytes()
        high = Image.frombytes(mode, (1, 1), raw, "raw", f"{mode};16L")
        low = Image.frombytes(mode, (1, 1), raw, "raw", f"{mode};16B")
        assert set(np.asarray(high).ravel()) == {0x12} and set(np.asarray(low).ravel()) == {0x34}
    assert TiffImagePlugin.BITSPERSAMPLE == 258
