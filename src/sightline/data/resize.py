"""The one resize of the house. Comes in: a picture; goes out: the same picture at another size, antialiased.

Convolution with the filter stretched to the scale, as Pillow does it, by the fast_image_resize library (its Python
binding is cykooz.resizer): integer arithmetic for uint8, whose bits are the same with and without vector units. It
differs from Pillow's by at most 1 of 255 with `bilinear`, and takes a fifth of the time. It lets go of the interpreter
lock. Where the binding has no build (Linux on ARM) Pillow does it; a run's `environment.json` says which. No torch.
"""

from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from sightline.data.decoding import Pixels

fast: Any  # the module, which has no types; None where it is not installed
try:
    import cykooz_resizer

    fast = cykooz_resizer
except ImportError:
    fast = None

FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
AVERAGE = "average"  # not for networks: what a picture is on the whole
CYKOOZ = {"bilinear": "bilinear", "bicubic": "catmull_rom", AVERAGE: "box"}
PILLOW = FILTERS | {AVERAGE: Image.Resampling.BOX}
KINDS = {("u", 1): "U8", ("u", 3): "U8x3", ("f", 1): "F32", ("f", 3): "F32x3"}


def resize(image: Pixels, height: int, width: int, interpolation: str) -> Pixels:
    """(H, W, 1 or 3) -> (height, width, C) of the same kind, uint8 or float32 0..255; not to be written to.

    `interpolation`: `bilinear`, or `bicubic` (Catmull-Rom).
    """
    if image.shape[:2] == (height, width):
        return image
    scaled = (
        _by_pillow(image, height, width, interpolation) if fast is None else _fast(image, height, width, interpolation)
    )
    # Catmull-Rom overshoots at edges; integers are clipped by both libraries.
    return scaled.clip(0, 255) if image.dtype.kind == "f" else scaled


def average(image: Pixels, height: int, width: int) -> Pixels:
    """(H, W, 1 or 3) uint8 -> (height, width, C), at most as large: the mean over each pixel's share of the picture."""
    return resize(image, height, width, AVERAGE)


def name() -> str:
    """What resizes on this machine."""
    return "Pillow" if fast is None else "fast_image_resize"


def _fast(image: Pixels, height: int, width: int, interpolation: str) -> Pixels:
    kind = getattr(fast.PixelType, KINDS[image.dtype.kind, image.shape[2]])
    source = fast.ImageData(image.shape[1], image.shape[0], kind, image.tobytes())
    target = fast.ImageData(width, height, kind)
    fast.Resizer().resize(source, target, _options(interpolation))
    scaled: Pixels = np.frombuffer(target.get_buffer(), image.dtype).reshape(height, width, image.shape[2])
    return scaled


@cache
def _options(interpolation: str) -> Any:
    kernel = getattr(fast.FilterType, CYKOOZ[interpolation])
    return fast.ResizeOptions(resize_alg=fast.ResizeAlg.convolution(kernel), use_alpha=False)


def _by_pillow(image: Pixels, height: int, width: int, interpolation: str) -> Pixels:
    """Pillow has no float32 of three channels: then one by one."""
    if image.dtype.kind == "u" and image.shape[2] == 3:
        return np.asarray(Image.fromarray(image).resize((width, height), PILLOW[interpolation]))
    planes = [Image.fromarray(np.ascontiguousarray(image[:, :, c])) for c in range(image.shape[2])]
    return np.stack([np.asarray(plane.resize((width, height), PILLOW[interpolation])) for plane in planes], axis=2)
