"""What a file says of its picture, without decoding the pixels. Comes in: an opened picture; goes out: a Header."""

import calendar
import time
from typing import NamedTuple

import numpy as np
from PIL import Image, TiffImagePlugin

from sightline.data.decoding import Pixels

GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N", "F"})
ORIENTATION = 0x0112  # EXIF 2.32, table 4
EXIF_IFD, DATE_TIME_ORIGINAL = 0x8769, 0x9003  # tables 4 and 8
PNG_ORIENTATION_KEYS = (b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp")
PNG_DEPTH, PNG_COLOUR = 24, 25  # where the first chunk of every PNG has its bits a channel and its colour type
PNG_GREY_AND_ALPHA = 4
BITS = {"1": 1, "I": 32, "F": 32, "I;16": 16, "I;16L": 16, "I;16B": 16, "I;16N": 16}  # a channel; of other modes 8


class Header(NamedTuple):  # made in half the time of a frozen dataclass, which is 2 % of decoding a small picture
    """What a file says of its picture; width and height are those of the upright picture.

    bits         a channel, as stored
    num_frames   of an animation, or pages
    orientation  EXIF's, 1 to 8
    taken_s      EXIF's time of exposure, seconds since 1970 as if in UTC; 0 where it is not said
    num_bytes    of the file
    """

    width: int
    height: int
    mode: str
    format: str
    grey: bool
    bits: int = 8
    num_frames: int = 1
    orientation: int = 1
    taken_s: int = 0
    num_bytes: int = 0


def header_of(image: Image.Image, data: bytes) -> Header:
    """The header of a picture that was opened from `data`."""
    orientation = header_orientation(image, data)
    width, height = image.size
    # Pillow states the size of a TIFF as it will be after turning.
    if image.format != "TIFF" and orientation >= 5:
        width, height = height, width
    return Header(
        width=width,
        height=height,
        mode=image.mode,
        format=image.format or "",
        grey=image.mode in GREY_MODES or (image.format == "PNG" and data[PNG_COLOUR] == PNG_GREY_AND_ALPHA),
        bits=_bits(image, data),
        num_frames=getattr(image, "n_frames", 1),  # Pillow's plugins have it where a file can hold several
        orientation=orientation,
        taken_s=_taken_s(image) if image.format in ("JPEG", "MPO", "TIFF", "HEIF") else 0,
        num_bytes=len(data),
    )


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none. Damaged EXIF is none, as in every viewer."""
    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except Exception:  # getexif parses bytes that no one has checked
        return 1
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def header_orientation(image: Image.Image, data: bytes) -> int:
    """`orientation_of`, but a PNG, which getexif decodes in search of late chunks, only if it has one."""
    if image.format == "PNG" and not any(key in data for key in PNG_ORIENTATION_KEYS):
        return 1
    return orientation_of(image)


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """(H, W, C) as stored -> upright, by EXIF 2.32, table 6; contiguous and writable."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.require(pixels, requirements=("C", "W"))


def _bits(image: Image.Image, data: bytes) -> int:
    """Bits a channel as stored, which Pillow hides for PNG and for colour TIFF."""
    if image.format == "PNG":
        return data[PNG_DEPTH]
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return int(max(image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,))))
    return BITS.get(image.mode, 8)


def _taken_s(image: Image.Image) -> int:
    if image.format != "TIFF" and "exif" not in image.info:
        return 0  # to parse nothing would cost a fifth of a small picture's decoding
    try:
        text = str(image.getexif().get_ifd(EXIF_IFD).get(DATE_TIME_ORIGINAL, ""))
        return calendar.timegm(time.strptime(text.strip("\0 "), "%Y:%m:%d %H:%M:%S"))
    except Exception:  # damaged EXIF, or a clock that was never set: not known
        return 0
