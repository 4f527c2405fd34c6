"""Pictures of more than 8 bits a channel, kept at their depth. Goes out: float32 (H, W, C) in units of 0..255.

A 16-bit value v becomes v / 257: black stays 0, white stays 255, and the 65,536 steps between them stay apart, so that
the few thousand that an X-ray uses are not crushed into sixteen.

Pillow holds no 16-bit colours; it can read either byte of them, so such a picture is decoded twice and put together.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from sightline.data.decoding import PictureError

Floats = NDArray[np.float32]
STEP = np.float32(257)  # 65535 / 255
# TIFF 6.0 and its supplements. What is white where the samples themselves do not say: floats, signed and 32-bit.
SMALLEST, LARGEST, PHOTOMETRIC, PLANES = 340, 341, 262, 284
WHITE_IS_ZERO, SEPARATE = 0, 2
COLOURS_OF_16_BITS = ("RGB", "RGBA", "RGBX", "RGBa", "LA")
NATIVE = "L" if sys.byteorder == "little" else "B"
OTHER = {"L": "B", "B": "L"}


def is_deep(image: Image.Image) -> bool:
    """Whether an opened picture, not yet loaded, holds more than 8 bits a channel."""
    return image.mode == "F" or image.mode.startswith("I") or is_deep_colour(image)


def is_deep_colour(image: Image.Image) -> bool:
    """Whether it holds 16 bits a channel in more than one channel; Pillow would leave the lower 8 out.

    Raises PictureError for a TIFF with such channels in planes of their own, which Pillow takes for 8 bits.
    """
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(PLANES) == SEPARATE:
        bits = image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,))
        if len(bits) > 1 and max(bits) > 8:
            raise PictureError("a deep TIFF that stores its colours apart, which is not read; save them together")
    name, _, order = _raw_mode(image).partition(";16")
    return name in COLOURS_OF_16_BITS and order in ("L", "B", "N")


def deep_colour(reopen: Callable[[], Image.Image]) -> Floats:
    """16-bit RGB, RGBA or grey with alpha -> float32 (H, W, 1 or 3), transparency over white.

    `reopen` gives the picture, its header read, anew each time. A TIFF comes out upright.
    """
    image = reopen()
    name, _, order = _raw_mode(image).partition(";16")
    if name == "LA":  # four bytes a pixel, as in 8-bit RGBA: grey and alpha, high byte and low
        stored = _loaded(image, "RGBA")
        return _over_white(_joined(stored[..., 0::2], stored[..., 1::2]), premultiplied=False)
    order = NATIVE if order == "N" else order
    plain = "RGBA" if name == "RGBa" else name  # premultiplied colours are taken as they are stored
    transparent = image.info.get("transparency")
    values = _joined(_loaded(image, f"{plain};16{order}"), _loaded(reopen(), f"{plain};16{OTHER[order]}"))
    if image.mode == "RGBA":
        return _over_white(values, premultiplied=name == "RGBa")
    if transparent is not None:  # PNG's one transparent colour
        values[(values == np.array(transparent, np.float32)).all(axis=-1)] = 65535
    return values / STEP


def deep_grey(image: Image.Image) -> Floats:
    """One channel of 16 or 32 bits or of floats, loaded -> float32 (H, W, 1). Raises PictureError."""
    tags: Mapping[int, Any] = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    image.load()
    stored = np.asarray(image)
    low, high = _range(image, tags, stored)
    values = in_units(stored, low, high)
    if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        np.subtract(255, values, out=values)
    if "transparency" in image.info:  # PNG's one transparent grey value
        values[stored == image.info["transparency"]] = 255
    return values[:, :, None]


def deep_array(array: NDArray[np.generic]) -> Floats:
    """(H, W, 1, 3 or 4), uint16 or floats 0..1 -> float32 (H, W, 1 or 3), alpha over white. Raises PictureError."""
    high = 65535 if array.dtype == np.uint16 else 1
    if high == 1:
        check_range(array, 0, 1, "scale them")
    values = in_units(array, 0, high)
    if array.shape[2] != 4:
        return values
    alpha = values[..., 3:] / np.float32(255)
    over_white: Floats = values[..., :3] * alpha + np.float32(255) * (1 - alpha)
    return over_white


def in_units(stored: NDArray[np.generic], low: float, high: float) -> Floats:
    """Any numbers, of which `low` is black and `high` is white -> float32 0..255. 16 bits come out as v / 257."""
    is_long = stored.dtype.kind == "i" and stored.dtype.itemsize > 2
    values: NDArray[np.float32 | np.float64] = stored.astype(np.float64 if is_long else np.float32)
    values -= low
    if high - low > 255:
        values /= (high - low) / 255
    else:
        values *= 255 / (high - low)
    return np.asarray(values, np.float32)


def check_range(stored: NDArray[np.generic], low: float, high: float, how: str) -> None:
    """Raise PictureError unless all values lie in low..high; `how` says how to mend it."""
    least, most = stored.min(), stored.max()
    if not (np.isfinite(least) and np.isfinite(most)):
        raise PictureError("floating-point pixels that are no numbers (NaN or infinite); replace them")
    if least < low or most > high:
        kind = "floating-point" if stored.dtype.kind == "f" else f"{8 * stored.dtype.itemsize}-bit"
        raise PictureError(f"{kind} pixels from {least:g} to {most:g}, not {low:g} to {high:g}; {how}")


def _range(image: Image.Image, tags: Mapping[int, Any], stored: NDArray[np.generic]) -> tuple[float, float]:
    """What is black and what is white in a picture of one channel. Raises PictureError where the pixels leave it."""
    if image.mode.startswith("I;16"):
        bits = tags.get(TiffImagePlugin.BITSPERSAMPLE, (16,))
        return 0, 2 ** int(bits[0]) - 1  # TIFF knows 12-bit samples too
    if SMALLEST in tags and LARGEST in tags:
        low, high = (float(np.ravel(tags[key])[0]) for key in (SMALLEST, LARGEST))  # one a sample
        if low < high:
            check_range(stored, low, high, "its tags SMinSampleValue and SMaxSampleValue say otherwise")
            return low, high
    white = 1.0 if image.mode == "F" else 65535.0
    tell = " or say what is black and white by the tags SMinSampleValue and SMaxSampleValue"
    check_range(stored, 0, white, f"scale them{tell if image.format == 'TIFF' else ''}")
    return 0, white


def _joined(high: NDArray[np.uint8], low: NDArray[np.uint8]) -> Floats:
    """The two bytes of each value -> float32 0..65535."""
    values = high.astype(np.float32)
    values *= 256
    values += low
    return values


def _over_white(values: Floats, premultiplied: bool) -> Floats:
    """0..65535, the last channel alpha -> 0..255 without it, composited over white."""
    alpha = values[..., -1:] / np.float32(65535)
    colours = values[..., :-1] / STEP
    return (colours if premultiplied else colours * alpha) + np.float32(255) * (1 - alpha)


def _raw_mode(image: Image.Image) -> str:
    """Pillow's name for how the pixels lie in the file; empty once they are loaded."""
    tiles = getattr(image, "tile", None)  # a picture from a file has it
    args = tiles[0].args if tiles else ""
    return str(args[0] if isinstance(args, tuple) and args else args)


def _loaded(image: Image.Image, raw_mode: str) -> NDArray[np.uint8]:
    """The pixels, unpacked by another raw mode of the same size: (H, W, C)."""
    image.tile = [  # type: ignore[attr-defined]  # what a picture from a file has
        tile._replace(args=(raw_mode, *tile.args[1:]) if isinstance(tile.args, tuple) else raw_mode)
        for tile in image.tile  # type: ignore[attr-defined]
    ]
    return np.asarray(image)
