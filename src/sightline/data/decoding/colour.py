"""Any mode of Pillow's with 8 bits a channel -> grey or sRGB. Comes in: a Pillow image; goes out: uint8 (H, W, 1 or 3).

A colour profile is applied, unless it is sRGB itself: a picture in Adobe RGB or Display P3 that is read as sRGB is
pale, and a photograph in CMYK far off. Profiles that are damaged or of another kind of picture count as none, as in
every viewer.
"""

import functools
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from sightline.data.decoding.header import GREY_MODES

# A profile that moves no colour of the grid below by more than this is sRGB under another name. Real ones move none
# by more than 1; the nearest other space, grey of gamma 2.2, moves dark tones by 6.
SRGB_LEVELS = 2
GRID = 9  # levels a channel
NUM_PROFILES = 32  # remembered; a data set has a few, one a camera

Convert = ImageCms.ImageCmsTransform | NDArray[np.uint8] | None


def eight_bits(image: Image.Image) -> NDArray[np.uint8]:
    """An image of any mode but the deep ones -> uint8 (H, W, 1) where it is grey, else sRGB (H, W, 3)."""
    profile = image.info.get("icc_profile") or b""
    if image.mode == "CMYK" and isinstance(to_srgb(profile, "CMYK"), ImageCms.ImageCmsTransform):
        return apply_profile(image, profile)
    return apply_profile(_plain(image), profile)


def apply_profile(image: Image.Image, profile: bytes) -> NDArray[np.uint8]:
    """Mode L -> (H, W, 1); RGB or CMYK -> sRGB (H, W, 3). CMYK needs a profile that `to_srgb` can use."""
    convert = to_srgb(profile, image.mode) if profile else None
    if isinstance(convert, ImageCms.ImageCmsTransform):
        image = ImageCms.applyTransform(image, convert) or image
    pixels = np.array(image)  # a copy: Pillow's own view is read-only
    pixels = pixels if pixels.ndim == 3 else pixels[:, :, None]
    return convert[pixels] if isinstance(convert, np.ndarray) else pixels


@functools.lru_cache(NUM_PROFILES)
def to_srgb(profile: bytes, mode: str) -> Convert:
    """How pixels of L, RGB or CMYK become sRGB: a transform, a table (256,) for grey, or None where they are already.

    The transform may be used from many threads at once.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != {"L": "GRAY"}.get(mode, mode):
            return None
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, AttributeError):
        return None
    if mode == "CMYK":
        return transform
    ramp = np.arange(256, dtype=np.uint8)
    if mode == "L":
        grey = np.asarray(ImageCms.applyTransform(Image.fromarray(ramp[None]), transform))[0, :, 0]
        return grey if _differs(grey, ramp) else None
    levels = np.linspace(0, 255, GRID).round().astype(np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(GRID, -1, 3)
    moved = np.asarray(ImageCms.applyTransform(Image.fromarray(colours), transform))
    return transform if _differs(moved, colours) else None


def _differs(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> bool:
    return bool(np.abs(a.astype(int) - b).max() > SRGB_LEVELS)


def _plain(image: Image.Image) -> Image.Image:
    """An image of any mode -> mode L where it is grey, else RGB; transparency over white."""
    mode = image.mode
    if mode in ("L", "RGB") and "transparency" not in image.info:
        return image
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


def _from_lab(image: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    assert converted is not None, "only an in-place conversion returns nothing"
    return converted
