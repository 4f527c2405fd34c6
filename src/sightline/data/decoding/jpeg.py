"""JPEG by libjpeg-turbo, scaled while it is decoded. Comes in: bytes; goes out: uint8 (H, W, C) as stored.

simplejpeg hands out libjpeg's warnings as errors, so that a file cut short or damaged is never a picture that is
half grey. Pillow decodes only what simplejpeg cannot (rare chroma subsampling), and the file alone decides which.
"""

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from sightline.data.decoding import PictureError

# libjpeg-turbo can scale to every n/8. Only these four inverse transforms are written for vector units: on 12
# megapixels 1/8 takes 22 ms, 1/4 27, 3/8 34, 1/2 31, 5/8 53, 6/8 63, 7/8 80 and the whole 43 (one core of an EPYC).
SCALES = (8, 4, 2)
COLOURS = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
# The turbojpeg interface refuses these; libjpeg itself, as Pillow uses it, does not.
LEFT_TO_PILLOW = ("Could not determine subsampling", "Unsupported color conversion")
# Each scan of a progressive file walks over all of the picture: 10 are usual, and a file can ask for thousands.
MAX_SCANNED_PIXELS = 5_000_000_000


def decode_jpeg(data: bytes, image: JpegImageFile, min_side: int | None) -> NDArray[np.uint8]:
    """`image`, opened from `data` -> uint8 (H, W, 1) grey, (H, W, 3) RGB or (H, W, 4) CMYK, not yet upright.

    At the smallest of 1, 1/2, 1/4, 1/8 whose short side has at least `min_side` pixels; odd sides are rounded up.
    Raises PictureError.
    """
    _check_scans(data, image)
    width, height = image.size
    scale = _scale(min(width, height), min_side)
    size = -(-height // scale), -(-width // scale)
    try:
        stored = simplejpeg.decode_jpeg_header(data)[:2]
        if stored != (height, width):
            raise PictureError(f"damaged: it says {width}x{height} pixels, and {stored[1]}x{stored[0]} elsewhere")
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            data, COLOURS[image.mode], min_height=size[0], min_width=size[1]
        )
    except (ValueError, KeyError) as error:
        if isinstance(error, KeyError) or any(words in str(error) for words in LEFT_TO_PILLOW):
            return _by_pillow(image, size, scale)
        raise PictureError(_reason(str(error), data)) from error
    return 255 - pixels if image.mode == "CMYK" else pixels  # Adobe stores ink as its absence


def _scale(short: int, min_side: int | None) -> int:
    """1, 2, 4 or 8: the divisor that leaves the short side at least `min_side` pixels."""
    if min_side is None:
        return 1
    return next((scale for scale in SCALES if short >= scale and -(-short // scale) >= min_side), 1)


def _by_pillow(image: JpegImageFile, size: tuple[int, int], scale: int) -> NDArray[np.uint8]:
    if scale > 1:
        image.draft(None, (image.width // scale, image.height // scale))
    pixels = np.asarray(image)
    assert pixels.shape[:2] == size, f"Pillow scaled to {pixels.shape[:2]}, not to {size}"
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def _check_scans(data: bytes, image: Image.Image) -> None:
    if "progressive" in image.info:
        num_scans = data.count(b"\xff\xda")
        if num_scans * image.width * image.height > MAX_SCANNED_PIXELS:
            raise PictureError(
                f"a progressive JPEG of {num_scans:,} scans over {image.width}x{image.height} pixels, which would "
                "take minutes; save it anew"
            )


def _reason(text: str, data: bytes) -> str:
    if "Premature end" in text or "premature end" in text:
        return f"truncated: it ends early, after {len(data):,} bytes"
    return f"damaged: {text.removeprefix('Corrupt JPEG data: ')}"
