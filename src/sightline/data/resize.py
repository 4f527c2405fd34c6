"""The one resize of the house. Comes in: a picture; goes out: the same picture at another size, antialiased.

Convolution with the filter stretched to the scale, as Pillow does it, by the fast_image_resize library (its Python
binding is cykooz.resizer): integer arithmetic for uint8, whose bits are the same with and without vector units. It
differs from Pillow's by at most 1 of 255 with `bilinear`, and takes a fifth of the time. It lets go of the interpreter
lock. No torch.
"""

import cykooz_resizer as resizer
import numpy as np

from sightline.data.decoding import Pixels

FILTERS = {"bilinear": resizer.FilterType.bilinear, "bicubic": resizer.FilterType.catmull_rom}
OPTIONS = {
    name: resizer.ResizeOptions(resize_alg=resizer.ResizeAlg.convolution(kernel), use_alpha=False)
    for name, kernel in FILTERS.items()
}
KINDS = {
    ("u", 1): resizer.PixelType.U8,
    ("u", 3): resizer.PixelType.U8x3,
    ("f", 1): resizer.PixelType.F32,
    ("f", 3): resizer.PixelType.F32x3,
}


def resize(image: Pixels, height: int, width: int, interpolation: str) -> Pixels:
    """(H, W, 1 or 3) -> (height, width, C) of the same kind, uint8 or float32 0..255; not to be written to.

    `interpolation`: `bilinear`, or `bicubic` (Catmull-Rom).
    """
    if image.shape[:2] == (height, width):
        return image
    kind = KINDS[image.dtype.kind, image.shape[2]]
    source = resizer.ImageData(image.shape[1], image.shape[0], kind, image.tobytes())
    target = resizer.ImageData(width, height, kind)
    resizer.Resizer().resize(source, target, OPTIONS[interpolation])
    scaled: Pixels = np.frombuffer(target.get_buffer(), image.dtype).reshape(height, width, image.shape[2])
    # Catmull-Rom overshoots at edges; integers are clipped by the library.
    return scaled.clip(0, 255) if image.dtype.kind == "f" else scaled
