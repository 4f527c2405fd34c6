"""JPEG: scaled decoding, damage that is told, and every kind of JPEG that exists."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.data.decode import PictureError, decode, read_header, read_picture, to_pixels
from sightline.data.decoding.jpeg import MAX_SCANNED_PIXELS
from sightline.data.preprocess import Preprocessing

Encode = Callable[..., bytes]


def scene(height: int = 300, width: int = 400) -> Image.Image:
    """Smooth colours, a few edges, a little noise: what a photograph has."""
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin(x / 40 + y / 90), np.cos(y / 30), np.sin((x + y) / 70)], axis=-1)
    noise = np.random.default_rng(0).normal(0, 4, (height, width, 1))
    picture = 128 + 90 * waves + noise + 40 * ((x // 50 + y // 50) % 2)[..., None]
    return Image.fromarray(picture.clip(0, 255).astype(np.uint8))


KINDS: dict[str, dict[str, object]] = {
    "4:2:0": {"subsampling": "4:2:0"},
    "4:2:2": {"subsampling": "4:2:2"},
    "4:4:4": {"subsampling": "4:4:4"},
    "RGB": {"keep_rgb": True},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 5},
    "optimised": {"optimize": True},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [1, 2, 4, 8])
def test_the_pixels_are_those_of_libjpeg(kind: str, scale: int, encode: Encode) -> None:
    data = encode(scene(301, 403), "JPEG", quality=90, **KINDS[kind])
    image = Image.open(io.BytesIO(data))
    image.draft(None, (403 // scale, 301 // scale))
    np.testing.assert_array_equal(decode(data, -(-301 // scale)), np.asarray(image))


@pytest.mark.parametrize("mode", ["L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_grey_and_cmyk(mode: str, progressive: bool, encode: Encode) -> None:
    image = scene().convert(mode)
    data = encode(image, "JPEG", quality=95, progressive=progressive)
    pixels = decode(data)
    assert pixels.shape == (300, 400, 1 if mode == "L" else 3) and pixels.dtype == np.uint8
    expected = np.asarray(image.convert("L" if mode == "L" else "RGB")).reshape(pixels.shape).astype(int)
    assert np.abs(pixels - expected).mean() < 2.5


def test_ycck_as_photoshop_writes_it(encode: Encode) -> None:
    """Pillow writes CMYK as it is; with transform 2 in Adobe's marker the same numbers are YCbCr and black."""
    image = Image.new("CMYK", (16, 16), (200, 100, 50, 20))
    data = encode(image, "JPEG", quality=100)
    place = data.index(b"Adobe") + 11
    assert data[place] == 0
    as_ycck = data[:place] + b"\x02" + data[place + 1 :]
    # Stored inverted: Y, Cb, Cr = 55, 155, 205, which JFIF makes R, G, B: these are the inks, and black is 255 - 235.
    y, cb, cr, k = 55, 155, 205, 235
    inks = np.array([y + 1.402 * (cr - 128), y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128), y + 1.772 * (cb - 128)])
    expected = (255 - inks.clip(0, 255)) * k / 255
    np.testing.assert_allclose(decode(as_ycck)[8, 8], expected, atol=4)
    np.testing.assert_array_equal(decode(as_ycck), np.asarray(Image.open(io.BytesIO(as_ycck)).convert("RGB")))


def test_rare_subsampling_is_read_all_the_same(encode: Encode) -> None:
    """Luma 3x1 of chroma: libjpeg reads it, the turbojpeg interface does not."""
    data = bytearray(encode(Image.new("RGB", (48, 48), (200, 60, 60)), "JPEG", subsampling="4:4:4", quality=95))
    frame = data.index(b"\xff\xc0")
    data[frame + 11] = 0x31
    with_three = bytes(data)
    image = Image.open(io.BytesIO(with_three))
    try:
        expected = np.asarray(image)
    except OSError:
        with pytest.raises(PictureError):
            decode(with_three)
    else:
        np.testing.assert_array_equal(decode(with_three), expected)


@pytest.mark.parametrize("kind", ["4:2:0", "progressive", "restarts"])
@pytest.mark.parametrize("min_side", [None, 40])
def test_a_cut_jpeg_is_never_half_a_picture(kind: str, min_side: int | None, encode: Encode) -> None:
    data = encode(scene(), "JPEG", quality=90, **KINDS[kind])
    for kept in (*range(len(data) - 8, len(data)), len(data) // 2, len(data) * 9 // 10):
        with pytest.raises(PictureError, match=rf"^truncated: it ends early, after {kept:,} bytes$"):
            decode(data[:kept], min_side)


def test_damage_that_pillow_hides_is_told(encode: Encode) -> None:
    """A hole in the coded pixels: Pillow gives a picture whose remainder is grey or shifted."""
    data = encode(scene(), "JPEG", quality=90)
    middle = len(data) // 2
    holed = data[:middle] + bytes(400) + data[middle + 1000 :]
    Image.open(io.BytesIO(holed)).load()
    with pytest.raises(PictureError, match=r"^(damaged|truncated)"):
        decode(holed)


def test_what_follows_the_picture_is_no_damage(encode: Encode) -> None:
    data = encode(scene(), "JPEG")
    np.testing.assert_array_equal(decode(data + b"a camera's own notes"), decode(data))


def test_twelve_bits_say_what_to_do(encode: Encode) -> None:
    data = bytearray(encode(scene(), "JPEG"))
    data[data.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(
        PictureError, match=r"^a JPEG of 12 bits a channel, which is not read; convert it to a 16-bit PNG$"
    ):
        decode(bytes(data))


def test_two_sizes_in_one_file_are_refused(encode: Encode) -> None:
    """Pillow takes the last frame header, libjpeg the first; nobody may be led around the size limit."""
    data = encode(scene(), "JPEG")
    start = data.index(b"\xff\xc0")
    length = 2 + int.from_bytes(data[start + 2 : start + 4], "big")
    frame = bytearray(data[start : start + length])
    frame[5:9] = (9000).to_bytes(2, "big") * 2
    with pytest.raises(PictureError, match=r"^(damaged|truncated)"):
        decode(data[:start] + bytes(frame) + data[start:])


def test_thousands_of_scans_are_refused_at_once(encode: Encode) -> None:
    data = encode(Image.new("L", (4000, 4000)), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    num = MAX_SCANNED_PIXELS // 4000**2 + 1
    with pytest.raises(PictureError, match="scans over 4000x4000 pixels"):
        decode(data[:-2] + scan * num + data[-2:])


ORIENTED = {1: (0, 0), 2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (0, 0), 6: (0, 1), 7: (1, 1), 8: (1, 0)}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_of_scaled_jpegs(orientation: int, encode: Encode) -> None:
    """A white block in the stored corner (0, 0) comes out where EXIF 2.32, table 6 puts row 0 and column 0."""
    stored = np.zeros((64, 128), np.uint8)
    stored[:16, :16] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(Image.fromarray(stored), "JPEG", exif=exif)
    for min_side, scale in ((None, 1), (16, 4)):
        header, seen = read_picture(data, min_side)
        height, width = (128, 64) if orientation >= 5 else (64, 128)
        assert (header.height, header.width) == (height, width)
        assert seen.shape == (height // scale, width // scale, 1)
        assert seen.flags.c_contiguous and seen.flags.writeable
        down, right = ORIENTED[orientation]
        assert seen[-1 if down else 0, -1 if right else 0, 0] > 250
        assert (seen > 128).sum() == (16 // scale) ** 2


@pytest.mark.parametrize("min_side", [None, 60, 150])
def test_every_way_in_gives_the_same_bits(min_side: int | None, tmp_path: Path, encode: Encode) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encode(scene(), "JPEG", quality=85))
    expected = decode(path.read_bytes(), min_side)
    np.testing.assert_array_equal(read_picture(path.read_bytes(), min_side)[1], expected)
    with Image.open(path) as lazy:
        np.testing.assert_array_equal(to_pixels(lazy, min_side), expected)
        np.testing.assert_array_equal(np.asarray(lazy), decode(path.read_bytes()))  # it still loads
    touched = Image.open(path)
    touched.draft("L", (100, 100))
    assert to_pixels(touched).shape == (150, 200, 1)


def test_scaled_decoding_stays_near_full_decoding(shared: Path) -> None:
    """The bound that docs/data.md states, on a few real photographs enlarged by no one: 1800x1200 to 224 pixels."""
    with zipfile.ZipFile(shared / "data/exif_orientation.zip") as archive:
        data = archive.read(next(name for name in archive.namelist() if name.endswith(".jpg")))
    frame = Preprocessing(224, 224)
    scaled, full = decode(data, frame.decode_side()), decode(data)
    assert scaled.shape[0] == 600 and full.shape[0] == read_header(data).height == 1200
    difference = frame.apply(scaled).astype(float) - frame.apply(full)
    psnr = 10 * np.log10(255**2 / (difference**2).mean())
    assert psnr > 35 and np.abs(difference).mean() < 3
