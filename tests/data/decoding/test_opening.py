"""Formats by content, and HEIF with and without its package."""

import base64
import builtins
import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from sightline.data.decode import PictureError, decode, read_header

Encode = Callable[..., bytes]
# 96x64, (40, 120, 200) with (230, 60, 30) in the upper left quarter; by libheif and x265.
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAVZtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9jAAAAAERA"
    "AAEAAQAAAAABegABAAAAAAAAAF0AAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA1mlwcnAAAAC3aXBjbwAA"
    "AHhodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoDCBBZbq"
    "SSmubgIaDAgAAAMAyAAAAwAIQGIAAQAHRAHBcrAiQAAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABgAAAAQAAAABBwaXhpAAAAAAMICAgA"
    "AAAXaXBtYQAAAAAAAAABAAEEgQIDBAAAAGVtZGF0AAAAWSgBrwT47FrpOu3/wXf///l0N7L+2R/hO6XwbSUl/Xs7//13VXtiGEqM/J1lLdkVZ471tSKs"
    "J88+KxPwF9SLQ/OTJ//j6AztecBJ/iDNUunPa2OhSSgO1j/b"
)


def test_heic_is_read_with_its_package() -> None:
    pytest.importorskip("pi_heif")
    seen = decode(HEIC)
    assert seen.shape == (64, 96, 3)
    np.testing.assert_allclose(seen[50, 80], (40, 120, 200), atol=8)
    np.testing.assert_allclose(seen[10, 10], (230, 60, 30), atol=8)
    header = read_header(HEIC)
    assert (header.height, header.width, header.format) == (64, 96, "HEIF")
    with pytest.raises(PictureError):
        decode(HEIC[:300])


def test_without_its_package_the_reason_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *args: object, **kwargs: object) -> object:
        if name == "pi_heif":
            raise ImportError(name)
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", absent)
    for read in (decode, read_header):
        with pytest.raises(PictureError, match=r'^a HEIC/HEIF picture, .* pip install "sightline\[heif\]"$'):
            read(HEIC)


def test_avif_that_begins_with_a_shared_brand_is_avif(encode: Encode) -> None:
    data = encode(Image.new("RGB", (16, 16), (200, 10, 10)), "AVIF")
    assert data[8:12] == b"avif"
    length = int.from_bytes(data[:4], "big")
    shared = data[:8] + b"mif1" + data[12:16] + b"avif" + data[20:length] + data[length:]
    np.testing.assert_array_equal(decode(shared), decode(data))


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_compressed_tiffs(compression: str, mode: str, encode: Encode) -> None:
    y, x = np.mgrid[:40, :56]
    image = Image.fromarray(np.stack([4 * x, 6 * y, 2 * x + y], axis=-1).astype(np.uint8)).convert(mode)
    seen = decode(encode(image, "TIFF", compression=compression))
    expected = np.asarray(image).reshape(seen.shape)
    if compression == "jpeg":
        assert np.abs(seen.astype(int) - expected).mean() < 3
    else:
        np.testing.assert_array_equal(seen, expected)


def test_tiled_tiff() -> None:
    """Two tiles of 16x16, written by hand; the second reaches past the edge of the 24x16 picture."""
    left, right = np.full((16, 16), 50, np.uint8), np.full((16, 16), 200, np.uint8)
    entries = [(256, 4, 1, 24), (257, 4, 1, 16), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (277, 3, 1, 1),
               (322, 4, 1, 16), (323, 4, 1, 16), (324, 4, 2, 0), (325, 4, 2, 0)]  # fmt: skip
    start = 8 + 2 + 12 * len(entries) + 4
    table = len(entries).to_bytes(2, "little")
    for tag, kind, count, value in entries:
        value = {324: start, 325: start + 8}.get(tag, value)
        table += b"".join(n.to_bytes(size, "little") for n, size in ((tag, 2), (kind, 2), (count, 4), (value, 4)))
    offsets = b"".join(n.to_bytes(4, "little") for n in (start + 16, start + 16 + 256, 256, 256))
    data = b"II*\0\x08\0\0\0" + table + bytes(4) + offsets + left.tobytes() + right.tobytes()
    seen = decode(data)[:, :, 0]
    assert seen.shape == (16, 24) and (seen[:, :16] == 50).all() and (seen[:, 16:] == 200).all()


@pytest.mark.parametrize("format", ["TIFF", "GIF", "PNG", "WEBP"])
def test_of_several_frames_the_first(format: str) -> None:
    frames = [Image.new("RGB", (8, 8), (shade, shade, shade)) for shade in (40, 120, 220)]
    file = io.BytesIO()
    frames[0].save(file, format, save_all=True, append_images=frames[1:], lossless=True)
    assert read_header(file.getvalue()).num_frames == 3
    assert (decode(file.getvalue()) == 40).all()
