"""Valid files of every kind of picture that is read, small, made anew: what benchmarks/fuzz.py damages."""

import base64
import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image, features

Seeds = Callable[[], list[bytes]]
EXPLICIT = "1.2.840.10008.1.2.1"  # DICOM's usual transfer syntax


def pictures() -> dict[str, Seeds]:
    """Format -> what makes its files; formats that this Pillow was built without are left out."""
    made: dict[str, Seeds] = {
        "jpeg": jpeg, "png": png, "png16": png16, "bmp": bmp, "gif": gif, "tiff": tiff, "tiff-deep": tiff_deep,
        "pnm": pnm, "qoi": lambda: simple("QOI", "RGB", "RGBA"), "sgi": lambda: simple("SGI", "L", "RGB", "RGBA"),
        "pcx": lambda: simple("PCX", "1", "L", "P", "RGB"), "ico": lambda: simple("ICO", "RGBA"),
        "mpo": mpo, "heif": heif,
    }  # fmt: skip
    optional: tuple[tuple[str, str, Seeds], ...] = (
        ("webp", "webp", webp),
        ("avif", "avif", lambda: simple("AVIF", "RGB", "RGBA")),
        ("jpeg2000", "jpg_2000", jpeg2000),
    )
    return made | {name: seeds for name, feature, seeds in optional if features.check(feature)}


def scene(mode: str, height: int = 24, width: int = 33) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    waves = np.stack([np.sin(x / 4 + y / 9), np.cos(y / 3), np.sin((x + y) / 7), np.cos(x / 5)], axis=-1)
    return Image.fromarray((127 + 120 * waves).astype(np.uint8)).convert("RGB" if mode == "P" else mode).convert(mode)


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def simple(format: str, *modes: str) -> list[bytes]:
    return [saved(scene(mode), format) for mode in modes]


def exif() -> bytes:
    made = Image.Exif()
    made[0x0112] = 6
    made[0x9003] = "2020:01:02 03:04:05"
    return made.tobytes()


def profile() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def jpeg() -> list[bytes]:
    rgb = scene("RGB", 48, 64)
    kinds: list[dict[str, object]] = [
        {}, {"progressive": True}, {"subsampling": "4:4:4"}, {"restart_marker_blocks": 2}, {"exif": exif()},
        {"icc_profile": profile()}, {"keep_rgb": True}, {"optimize": True},
    ]  # fmt: skip
    others = [saved(scene(mode, 48, 64), "JPEG", progressive=p) for mode in ("L", "CMYK") for p in (False, True)]
    return [saved(rgb, "JPEG", **kind) for kind in kinds] + others


def mpo() -> list[bytes]:
    return [saved(scene("RGB"), "MPO", save_all=True, append_images=[scene("RGB")])]


def png() -> list[bytes]:
    plain = [saved(scene(mode), "PNG") for mode in ("1", "L", "LA", "P", "RGB", "RGBA")]
    palette = saved(scene("P"), "PNG", transparency=bytes(range(256)))
    animated = saved(scene("RGB"), "PNG", save_all=True, append_images=[scene("RGB").rotate(90)])
    return [*plain, palette, animated, saved(scene("RGB"), "PNG", exif=exif(), icc_profile=profile())]


def png16() -> list[bytes]:
    made = []
    for colour_type, channels in ((0, 1), (2, 3), (4, 2), (6, 4)):
        pixels = np.random.default_rng(0).integers(0, 65536, (9, 11, channels)).astype(">u2")
        rows = b"".join(b"\0" + row.tobytes() for row in pixels)
        header = struct.pack(">IIBBBBB", 11, 9, 16, colour_type, 0, 0, 0)
        parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
        chunks = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
        made.append(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return made


def bmp() -> list[bytes]:
    return simple("BMP", "1", "L", "P", "RGB", "RGBA")


def gif() -> list[bytes]:
    frames = [scene("P").rotate(90 * i) for i in (1, 2)]
    return [*simple("GIF", "L", "P"), saved(scene("P"), "GIF", save_all=True, append_images=frames, transparency=0)]


def webp() -> list[bytes]:
    frames = [scene("RGB").rotate(90 * i) for i in (1, 2)]
    animated = saved(scene("RGB"), "WEBP", save_all=True, append_images=frames)
    return [saved(scene(m), "WEBP", lossless=k) for m in ("RGB", "RGBA") for k in (False, True)] + [animated]


def jpeg2000() -> list[bytes]:
    deep = Image.fromarray(np.random.default_rng(0).integers(0, 65536, (20, 20)).astype(np.uint16))
    return [
        *simple("JPEG2000", "L", "RGB", "RGBA"),
        saved(deep, "JPEG2000"),
        saved(scene("RGB"), "JPEG2000", no_jp2=True),
    ]


def tiff() -> list[bytes]:
    kinds = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
    made = [saved(scene(m), "TIFF", compression=kind) for m in ("L", "RGB") for kind in kinds]
    fax = saved(scene("1"), "TIFF", compression="group4")
    pages = saved(scene("L"), "TIFF", save_all=True, append_images=[scene("L")])
    return [
        *made,
        *simple("TIFF", "1", "P", "RGBA", "CMYK", "LAB"),
        fax,
        pages,
        saved(scene("RGB"), "TIFF", exif=exif()),
    ]


def tiff_deep() -> list[bytes]:
    draw = np.random.default_rng(0)
    grey = Image.fromarray(draw.integers(0, 65536, (9, 11)).astype(np.uint16))
    floats = Image.fromarray(draw.random((9, 11)).astype(np.float32))
    whole = Image.fromarray(draw.integers(0, 65536, (9, 11)).astype(np.int32))
    made = [saved(image, "TIFF", compression=kind) for image in (grey, floats, whole) for kind in ("raw", "tiff_lzw")]
    return [*made, tiff_colour(3), tiff_colour(4)]


def tiff_colour(channels: int) -> bytes:
    """Uncompressed 16-bit RGB or RGBA, which Pillow does not write."""
    pixels = np.random.default_rng(0).integers(0, 65536, (9, 11, channels)).astype("<u2")
    entries = [(256, 3, 1, 11), (257, 3, 1, 9), (258, 3, channels, 0), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 0),
               (277, 3, 1, channels), (278, 3, 1, 9), (279, 4, 1, pixels.nbytes), (284, 3, 1, 1)]  # fmt: skip
    if channels == 4:
        entries.append((338, 3, 1, 2))
    start = 8 + 2 + 12 * len(entries) + 4
    places = {258: start, 273: start + 2 * channels}
    table = b"".join(struct.pack("<HHII", tag, kind, n, places.get(tag, value)) for tag, kind, n, value in entries)
    return (b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + table + bytes(4)
            + struct.pack(f"<{channels}H", *[16] * channels) + pixels.tobytes())  # fmt: skip


def pnm() -> list[bytes]:
    draw = np.random.default_rng(0)
    deep = draw.integers(0, 65536, (4, 5, 3)).astype(">u2").tobytes()
    floats = draw.random((4, 5, 3)).astype("<f4").tobytes()
    text = b" ".join(b"%d" % v for v in draw.integers(0, 256, 60))
    bits = b" ".join(b"%d" % v for v in draw.integers(0, 2, 20))
    return [*simple("PPM", "1", "L", "RGB"), b"P6 5 4 65535\n" + deep, b"P5\n# 12 bit\n5 12 65535\n" + deep,
            b"PF\n5 4\n-1.0\n" + floats, b"Pf\n5 12\n-1.0\n" + floats, b"P3 5 4 255\n" + text, b"P2 5 12 255\n" + text,
            b"P1 5 4\n" + bits, b"P6 5 4 100\n" + bytes(draw.integers(0, 101, 60).tolist())]  # fmt: skip


def dicom(pixels: np.ndarray[tuple[int, ...], np.dtype[np.generic]], syntax: str = EXPLICIT, **tags: object) -> bytes:
    """A DICOM file of grey (H, W), (frames, H, W) or RGB (H, W, 3); `tags` by keyword."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(syntax)
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID("1.2.840.10008.5.1.4.1.1.7"), UID("1.2.3.4")
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    colour = pixels.ndim == 3 and pixels.shape[2] == 3
    bits = 8 * pixels.dtype.itemsize
    values: dict[str, object] = {
        "Rows": pixels.shape[0 if colour else -2], "Columns": pixels.shape[1 if colour else -1],
        "SamplesPerPixel": 3 if colour else 1, "PhotometricInterpretation": "RGB" if colour else "MONOCHROME2",
        "BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1, "PixelRepresentation": 0,
        "PixelData": pixels.tobytes(),
    } | ({"PlanarConfiguration": 0} if colour else {}) | tags  # fmt: skip
    if pixels.ndim == 3 and not colour:
        values["NumberOfFrames"] = len(pixels)
    for name, value in values.items():
        setattr(dataset, name, value)
    if UID(syntax).is_encapsulated:
        dataset.PixelData = encapsulate([dataset.PixelData])
    dataset.PixelData += bytes(len(dataset.PixelData) % 2)
    dataset["PixelData"].VR = "OB" if bits == 8 or UID(syntax).is_encapsulated else "OW"
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def heif() -> list[bytes]:
    """One that libheif and x265 wrote: nothing at hand writes HEIC."""
    return [base64.b64decode(HEIC)]


HEIC = (
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAVZtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9jAAAAAERA"
    "AAEAAQAAAAABegABAAAAAAAAAF0AAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA1mlwcnAAAAC3aXBjbwAA"
    "AHhodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoDCBBZbq"
    "SSmubgIaDAgAAAMAyAAAAwAIQGIAAQAHRAHBcrAiQAAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABgAAAAQAAAABBwaXhpAAAAAAMICAgA"
    "AAAXaXBtYQAAAAAAAAABAAEEgQIDBAAAAGVtZGF0AAAAWSgBrwT47FrpOu3/wXf///l0N7L+2R/hO6XwbSUl/Xs7//13VXtiGEqM/J1lLdkVZ471tSKs"
    "J88+KxPwF9SLQ/OTJ//j6AztecBJ/iDNUunPa2OhSSgO1j/b"
)
