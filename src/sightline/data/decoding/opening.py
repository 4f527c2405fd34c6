"""Which format a file has, by its content. Comes in: bytes; goes out: a Pillow image whose header alone is read.

Unlike `Image.open` it warns of nothing, tries only FORMATS, and registers nothing in Pillow.
"""

import io

from PIL import Image, TiffImagePlugin

from sightline.data.decoding import PictureError, check_size

# What is read, by Pillow's names, commonest first, and the extensions each goes by. Left out on purpose:
# EPS and WMF (reading them starts other programs) and TGA (it has no signature, so any file might be one).
FORMATS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".pbm", ".pgm", ".ppm", ".pnm", ".pfm"),
    "AVIF": (".avif",),
    "JPEG2000": (".jp2", ".j2k", ".j2c", ".jpx", ".jpf"),
    "QOI": (".qoi",),
    "SGI": (".sgi", ".rgb", ".bw"),
    "PCX": (".pcx",),
    "ICO": (".ico",),
    "HEIF": (".heic", ".heif", ".hif"),  # by pi-heif, an extra
}
MEDICAL = (".dcm", ".dicom")  # told by content, as all others are; read by `dicom`
EXTENSIONS = frozenset(extension for group in FORMATS.values() for extension in group) | set(MEDICAL)
# ISO/IEC 23008-12, annexes B and C. `mif1` and `msf1` name no codec: AVIF has them too, beside its own brand.
HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
SHARED_BRANDS = frozenset({b"mif1", b"mif2", b"msf1"})


def opened(data: bytes) -> Image.Image:
    """The picture, its header read and its size checked. Raises PictureError, or any error of Pillow's."""
    if not data:
        raise PictureError("empty file (0 bytes)")
    image = _heif(data) if _is_heif(data) else _by_pillow(data)
    check_size(*image.size)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        _check_strips(image, data)
    return image


def _by_pillow(data: bytes) -> Image.Image:
    prefix = data[:16]
    for name in FORMATS:
        if name not in Image.OPEN:
            Image.init()  # loads Pillow's plugins, the first time only
        if name not in Image.OPEN or name == "HEIF":
            continue  # this Pillow was built without it; HEIF is there only if someone registered it
        factory, accept = Image.OPEN[name]
        accepted = accept is None or accept(prefix)
        if isinstance(accepted, str):  # Pillow's way to say that the format is known but not built in
            raise PictureError(accepted)
        if accepted:
            return factory(io.BytesIO(data), "")
    raise PictureError(_unknown(data))


def _check_strips(image: TiffImagePlugin.TiffImageFile, data: bytes) -> None:
    """Raise PictureError where the strips or tiles do not cover the picture; Pillow leaves the rest black."""
    covered = 0
    for tile in image.tile:
        left, top, right, bottom = tile.extents or (0, 0, 0, 0)
        covered += (right - left) * (bottom - top)
    if covered < image.width * image.height:
        raise PictureError(f"truncated: it holds fewer rows than it says, in {len(data):,} bytes")


def _is_heif(data: bytes) -> bool:
    """Whether the brands in its first box say that it is a still picture coded with HEVC."""
    if data[4:8] != b"ftyp":
        return False
    end = min(int.from_bytes(data[:4], "big"), 256, len(data))
    brands = {data[8:12], *(data[i : i + 4] for i in range(16, end - 3, 4))}
    return bool(brands & HEIF_BRANDS) or (data[8:12] in SHARED_BRANDS and not brands & {b"avif", b"avis"})


def _heif(data: bytes) -> Image.Image:
    try:
        from pi_heif import HeifImageFile
    except ImportError:
        raise PictureError(
            'a HEIC/HEIF picture, which needs the package pi-heif: pip install "sightline[heif]"'
        ) from None
    image: Image.Image = HeifImageFile(io.BytesIO(data), "")
    return image


def _unknown(data: bytes) -> str:
    if data[4:8] == b"ftyp":
        return "a video (or a picture of an unknown kind in a video's container), which is not read"
    if data[:512].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "not a picture: an HTML page, as a failed download leaves"
    if not data.strip(b"\0"):
        return f"not a picture: {len(data):,} zero bytes"
    return "not a picture: its content is not of any known format"


def is_dicom(data: bytes) -> bool:
    """By content: four letters behind a preamble of 128 bytes (PS3.10, 7.1)."""
    return data[128:132] == b"DICM"
