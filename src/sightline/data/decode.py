"""Encoded pictures -> pixels. Comes in: the bytes of a file; goes out: uint8 (H, W, 1) or (H, W, 3), upright.

Anything that Pillow cannot read becomes a PictureError with a reason in plain words; there is never a
substitute picture. Safe from many threads. Must not know paths, labels, data sets or torch.
"""

import calendar
import contextlib
import io
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

# Names what turns bytes into pixels: decoded pictures that are kept on disk are of use to the very same only. Raise the
# number whenever the pixels or the Header of any file could change.
DECODER = f"1, Pillow {PIL.__version__}"
# What is read, by Pillow's names, commonest first, and the extensions each goes by. Left out on purpose:
# EPS and WMF (reading them starts other programs) and TGA (it has no signature, so any file might be one).
FORMATS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".pbm", ".pgm", ".ppm", ".pnm"),
    "AVIF": (".avif",),
    "JPEG2000": (".jp2", ".j2k", ".j2c", ".jpx", ".jpf"),
    "QOI": (".qoi",),
    "SGI": (".sgi", ".rgb", ".bw"),
    "PCX": (".pcx",),
    "ICO": (".ico",),
}
# HEIC counts as a picture, so that it is reported as one that cannot be read rather than left aside.
EXTENSIONS = frozenset(extension for group in FORMATS.values() for extension in group) | {".heic", ".heif"}
MAX_PIXELS = 178_956_970  # Pillow's own hard limit against decompression bombs: twice 1 GiB / 4 / 3
GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N", "F"})
ORIENTATION = 0x0112  # EXIF 2.32, table 4
EXIF_IFD, DATE_TIME_ORIGINAL = 0x8769, 0x9003  # tables 4 and 8
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
PNG_ORIENTATION_KEYS = (b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp")


class PictureError(Exception):
    """A picture that cannot be read. The message is the reason alone; the caller knows the path."""


@dataclass(frozen=True, slots=True)
class Header:
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


def decode(data: bytes, min_side: int | None = None) -> NDArray[np.uint8]:
    """Pixels of an encoded picture, upright: uint8 (H, W, 1) grey or (H, W, 3) RGB, transparency over white.

    `min_side`: a JPEG is decoded at the smallest scale (1, 1/2, 1/4, 1/8) whose short side has at least this
    many pixels. Of several frames or pages the first is read. Raises PictureError.
    """
    with _reasons(data):
        return _pixels(_open(data), min_side)


def read_header(data: bytes) -> Header:
    """What the file says of the picture, without decoding the pixels. Raises PictureError."""
    with _reasons(data):
        return _header(_open(data), data)


def read_picture(data: bytes, min_side: int | None = None) -> tuple[Header, NDArray[np.uint8]]:
    """`read_header` and `decode` in one. Raises PictureError."""
    with _reasons(data):
        image = _open(data)
        header = _header(image, data)
        return header, _pixels(image, min_side)


def to_pixels(image: Image.Image) -> NDArray[np.uint8]:
    """A Pillow image of any mode -> uint8 (H, W, 1) or (H, W, 3), turned upright by its EXIF orientation."""
    image.load()  # first: a TIFF is turned by its loading, which then drops the orientation
    orientation = _orientation(image)
    plain = _eight_bits(image)
    if orientation in UPRIGHT:
        plain = plain.transpose(UPRIGHT[orientation])
    pixels: NDArray[np.uint8] = np.array(plain)  # a copy: Pillow's own view is read-only
    return pixels if pixels.ndim == 3 else pixels[:, :, None]  # (H, W) -> (H, W, 1)


@contextlib.contextmanager
def _reasons(data: bytes) -> Iterator[None]:
    """Any error of Pillow's as a PictureError."""
    try:
        yield
    except PictureError:
        raise
    except Exception as error:  # its decoders raise nearly every type on damaged files
        raise PictureError(_reason(error, data)) from error


def _pixels(image: Image.Image, min_side: int | None) -> NDArray[np.uint8]:
    if min_side is not None and isinstance(image, JpegImageFile):
        _scale_down(image, min_side)
    return to_pixels(image)


def _header(image: Image.Image, data: bytes) -> Header:
    orientation = _header_orientation(image, data)
    width, height = image.size
    # Pillow states the size of a TIFF as it will be after turning.
    if image.format != "TIFF" and orientation >= 5:
        width, height = height, width
    return Header(
        width=width,
        height=height,
        mode=image.mode,
        format=image.format or "",
        grey=image.mode in GREY_MODES,
        bits=_bits(image, data),
        num_frames=getattr(image, "n_frames", 1),  # Pillow's plugins have it where a file can hold several
        orientation=orientation,
        taken_s=_taken_s(image) if image.format in ("JPEG", "MPO", "TIFF") else 0,
        num_bytes=len(data),
    )


def _bits(image: Image.Image, data: bytes) -> int:
    """Bits a channel as stored. Pillow hides those of a PNG, which lie in its first chunk."""
    if image.format == "PNG":
        return data[24]
    return {"1": 1, "I": 32, "F": 32}.get(image.mode, 16 if image.mode.startswith("I;16") else 8)


def _taken_s(image: Image.Image) -> int:
    try:
        text = str(image.getexif().get_ifd(EXIF_IFD).get(DATE_TIME_ORIGINAL, ""))
        return calendar.timegm(time.strptime(text.strip("\0 "), "%Y:%m:%d %H:%M:%S"))
    except Exception:  # damaged EXIF, or a clock that was never set: not known
        return 0


def _open(data: bytes) -> Image.Image:
    """The picture, its header read. Unlike `Image.open` it warns of nothing and tries only FORMATS."""
    if not data:
        raise PictureError("empty file (0 bytes)")
    prefix = data[:16]
    for name in FORMATS:
        if name not in Image.OPEN:
            Image.init()  # loads Pillow's plugins, the first time only
        if name not in Image.OPEN:
            continue  # this Pillow was built without it
        factory, accept = Image.OPEN[name]
        accepted = accept is None or accept(prefix)
        if isinstance(accepted, str):  # Pillow's way to say that the format is known but not built in
            raise PictureError(accepted)
        if accepted:
            image = factory(io.BytesIO(data), "")
            _check_size(*image.size)
            return image
    raise PictureError(_unknown(data))


def _unknown(data: bytes) -> str:
    if data[4:8] == b"ftyp":
        return "a HEIC/HEIF picture or a video, which is not read; convert it to JPEG or PNG first"
    if data[:512].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "not a picture: an HTML page, as a failed download leaves"
    if not any(data):
        return f"not a picture: {len(data):,} zero bytes"
    return "not a picture: its content is not of any known format"


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise PictureError(
            f"{width}x{height} = {width * height / 1e6:.0f} megapixels, above the limit of "
            f"{MAX_PIXELS / 1e6:.0f}; make it smaller first"
        )


def _scale_down(image: JpegImageFile, min_side: int) -> None:
    """Has libjpeg decode at 1/8, 1/4 or 1/2, which rounds sizes up, if the short side stays >= min_side."""
    short = min(image.size)
    for scale in (8, 4, 2):
        if short >= scale and -(-short // scale) >= min_side:
            image.draft(None, (image.width // scale, image.height // scale))
            return


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none. Damaged EXIF is none, as in every viewer."""
    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except Exception:  # getexif parses bytes that no one has checked
        return 1
    return orientation if orientation in UPRIGHT else 1


def _header_orientation(image: Image.Image, data: bytes) -> int:
    """`_orientation`, but a PNG, which getexif decodes in search of late chunks, only if it has one."""
    if image.format == "PNG" and not any(key in data for key in PNG_ORIENTATION_KEYS):
        return 1
    return _orientation(image)


def _eight_bits(image: Image.Image) -> Image.Image:
    """An image of any mode -> mode L where it is grey, else RGB."""
    mode = image.mode
    if mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if mode == "F":
        raise PictureError("floating-point pixels are not yet read; convert it to 8-bit or 16-bit PNG")
    if mode.startswith("I"):
        return _from_integers(image)
    if mode == "LAB":
        return _from_lab(image)
    grey = mode in GREY_MODES
    if image.has_transparency_data:
        return _over_white(image.convert("LA" if grey else "RGBA"))
    return image.convert("L" if grey else "RGB")


def _over_white(image: Image.Image) -> Image.Image:
    """LA -> L, RGBA -> RGB, composited over white."""
    white = Image.new("L" if image.mode == "LA" else "RGB", image.size, "white")
    white.paste(image.convert(white.mode), mask=image.getchannel("A"))
    return white


def _from_integers(image: Image.Image) -> Image.Image:
    """16-bit grey -> 8-bit by round(v / 257), so that 0 stays 0 and 65535 becomes 255."""
    values = np.asarray(image).astype(np.int64)  # (H, W)
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise PictureError(
            f"32-bit pixels from {low} to {high} are not yet read, only 0 to 65535; convert it to 8-bit or 16-bit PNG"
        )
    grey = (values + 128) // 257
    if "transparency" in image.info:  # PNG's one transparent grey value
        grey[values == image.info["transparency"]] = 255
    return Image.fromarray(grey.astype(np.uint8))


def _from_lab(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    assert converted is not None, "only an in-place conversion returns nothing"
    return converted


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
    return f"damaged: {text}"
