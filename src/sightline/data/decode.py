"""Encoded pictures -> pixels. Comes in: the bytes of a file; goes out: (H, W, 1) grey or (H, W, 3) sRGB, upright.

uint8, or float32 in the same units 0..255 where more than 8 bits a channel are stored. Anything that cannot be read
becomes a PictureError with a reason in plain words; there is never a substitute picture, nor half of one. Safe from
many threads. The steps are in `decoding/`. Must not know paths, labels, data sets or torch.
"""

import contextlib
import re
import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from sightline.data.decoding import MAX_PIXELS as MAX_PIXELS
from sightline.data.decoding import PictureError as PictureError
from sightline.data.decoding import Pixels as Pixels
from sightline.data.decoding import check_size as check_size
from sightline.data.decoding.colour import apply_profile, eight_bits, to_srgb
from sightline.data.decoding.deep import deep_colour, deep_grey, is_deep, is_deep_colour
from sightline.data.decoding.header import GREY_MODES as GREY_MODES
from sightline.data.decoding.header import Header as Header
from sightline.data.decoding.header import header_of, orientation_of, upright
from sightline.data.decoding.jpeg import decode_jpeg
from sightline.data.decoding.opening import EXTENSIONS as EXTENSIONS
from sightline.data.decoding.opening import FORMATS as FORMATS
from sightline.data.decoding.opening import is_dicom as is_dicom
from sightline.data.decoding.opening import opened
from sightline.data.decoding.png import check_is_whole, check_size_is_possible
from sightline.data.decoding.pnm import read_deep_pnm
from sightline.data.medical import dicom
from sightline.errors import MissingExtraError

# Decoded pictures that are kept on disk are of use to the very same decoder only. Raise the number whenever the
# pixels or the Header of any file could change; the versions of the packages behind it count besides.
DECODER = 2
PACKAGES = ("pillow", "simplejpeg", "cykooz.resizer", "pi-heif", "pydicom", "pylibjpeg-openjpeg", "imagecodecs")


def decode(data: bytes, min_side: int | None = None) -> Pixels:
    """Pixels of an encoded picture, upright: (H, W, 1) grey or (H, W, 3) sRGB, transparency over white.

    uint8; float32, likewise 0..255, where the file holds more than 8 bits a channel.

    `min_side`: a JPEG is decoded at the smallest scale (1, 1/2, 1/4, 1/8) whose short side has at least this
    many pixels. Of several frames or pages the first is read. Raises PictureError.
    """
    with _reasons(data):
        if is_dicom(data):
            return _dicom(data, True)[1]
        deep = read_deep_pnm(data)
        return deep.pixels(data) if deep else _pixels(opened(data), data, min_side)


def read_header(data: bytes) -> Header:
    """What the file says of the picture, without decoding the pixels. Raises PictureError."""
    with _reasons(data):
        if is_dicom(data):
            return _dicom(data, False)[0]
        deep = read_deep_pnm(data)
        return deep.header(len(data)) if deep else header_of(opened(data), data)


def read_picture(data: bytes, min_side: int | None = None) -> tuple[Header, Pixels]:
    """`read_header` and `decode` in one. Raises PictureError."""
    with _reasons(data):
        if is_dicom(data):
            return _dicom(data, True)
        if deep := read_deep_pnm(data):
            return deep.header(len(data)), deep.pixels(data)
        image = opened(data)
        return header_of(image, data), _pixels(image, data, min_side)


def to_pixels(image: Image.Image, min_side: int | None = None) -> Pixels:
    """A Pillow image of any mode -> pixels as of `decode`. Raises PictureError.

    One that was opened from a file and not touched since is read from that file, so that it gives the same pixels as
    its path; any other is taken as it is.
    """
    data = _untouched(image)
    if data is not None:
        return decode(data, min_side)
    with _reasons(b""):
        image.load()
        pixels = deep_grey(image) if is_deep(image) else eight_bits(image)
        return upright(pixels, orientation_of(image))


def _dicom(data: bytes, with_pixels: bool) -> tuple[Header, Pixels]:
    """Header and pixels (none, where they are not wanted) of a DICOM file."""
    return dicom.read_picture(data) if with_pixels else (dicom.read_header(data), np.zeros((0, 0, 1), np.uint8))


@contextlib.contextmanager
def _reasons(data: bytes) -> Iterator[None]:
    """Any error of Pillow's as a PictureError."""
    try:
        yield
    except (PictureError, MissingExtraError):
        raise
    except Exception as error:  # its decoders raise nearly every type on damaged files
        raise PictureError(_reason(error, data)) from error


def _pixels(image: Image.Image, data: bytes, min_side: int | None) -> Pixels:
    if isinstance(image, JpegImageFile):
        return upright(_from_jpeg(data, image, min_side), orientation_of(image))
    if image.format == "PNG":
        check_size_is_possible(data)
    if is_deep_colour(image):
        pixels: Pixels = deep_colour(lambda: opened(data))
        if image.format == "PNG":
            check_is_whole(data, pixels[-1] % 255)  # where alpha is missing too, the row is white
        # A TIFF is turned by its loading; the picture at hand was not loaded and still says how it was stored.
        return upright(pixels, 1 if image.format == "TIFF" else orientation_of(image))
    image.load()  # first: a TIFF is turned by its loading, which then drops the orientation
    if image.format == "PNG":
        check_is_whole(data, np.asarray(image.crop((0, image.height - 1, image.width, image.height))))
    return upright(deep_grey(image) if is_deep(image) else eight_bits(image), orientation_of(image))


def _from_jpeg(data: bytes, image: JpegImageFile, min_side: int | None) -> Pixels:
    stored = decode_jpeg(data, image, min_side)
    profile = image.info.get("icc_profile") or b""
    if image.mode == "CMYK" and not (profile and to_srgb(profile, "CMYK")):
        return eight_bits(Image.fromarray(stored, "CMYK"))
    if profile and to_srgb(profile, image.mode) is not None:
        return apply_profile(Image.fromarray(stored[:, :, 0] if image.mode == "L" else stored, image.mode), profile)
    return stored


def _untouched(image: Image.Image) -> bytes | None:
    """The file's bytes of a picture that Pillow has opened and nobody has loaded, drafted or turned to a later page."""
    file = getattr(image, "fp", None)
    if not isinstance(image, ImageFile.ImageFile) or file is None or file.closed or not image.tile or image.tell():
        return None
    if image.decoderconfig:
        return None
    position = file.tell()
    file.seek(0)
    data: bytes = file.read()
    file.seek(position)
    return data


def _reason(error: Exception, data: bytes) -> str:
    """An exception of Pillow's in plain words."""
    if isinstance(error, Image.DecompressionBombError):
        return f"larger than the limit of {MAX_PIXELS / 1e6:.0f} megapixels; make it smaller first"
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    text = str(error) or type(error).__name__
    early = (EOFError, IndexError, struct.error)  # Pillow turns some of these into a SyntaxError
    if isinstance(error, early) or isinstance(error.__cause__, early) or "truncated" in text.lower():
        return f"truncated: it ends early, after {len(data):,} bytes"
    if deep := re.fullmatch(r"cannot handle (\d+)-bit layers", text):
        return f"a JPEG of {deep[1]} bits a channel, which is not read; convert it to a 16-bit PNG"
    return f"damaged: {text}"
