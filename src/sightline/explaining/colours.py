"""A value -> a colour, so that equal steps of the value look equally large. Comes in: -1..1; goes out: sRGB.

Lightness carries the value, and blue stands against yellow or orange, so that colour-blind people and grey prints see
it too. Colours are laid out in OKLab (Ottosson, 2020, A perceptual color space for image processing).
"""

import numpy as np
from numpy.typing import NDArray

from sightline.data.warp import Floats

# lightness, a (green to red), b (blue to yellow), from nothing to the most
_RISING = np.array([
    [0.22, 0.01, -0.06], [0.36, 0.05, -0.13], [0.50, 0.10, -0.07], [0.64, 0.12, 0.05], [0.78, 0.06, 0.13],
    [0.92, -0.02, 0.12],
])  # fmt: skip
# from all against, over nothing, to all for: both ends are equally dark
_BALANCED = np.array([
    [0.40, -0.03, -0.16], [0.67, -0.04, -0.09], [0.94, 0.0, 0.0], [0.67, 0.08, 0.10], [0.40, 0.12, 0.08],
])  # fmt: skip


def coloured(values: Floats, signed: bool) -> NDArray[np.uint8]:
    """(H, W), 0..1 or, `signed`, -1..1 -> (H, W, 3). Values beyond are taken for the ends."""
    table = _BALANCED if signed else _RISING
    place = ((values.clip(-1, 1) + 1) / 2 if signed else values.clip(0, 1)) * (len(table) - 1)
    before = np.minimum(place.astype(np.intp), len(table) - 2)
    share = (place - before)[..., None]
    return np.rint(255 * srgb(table[before] * (1 - share) + table[before + 1] * share)).astype(np.uint8)


def srgb(oklab: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 3) OKLab -> (..., 3) sRGB 0..1, cut off at what a screen can show."""
    long, medium, short = (
        (oklab[..., 0] + a * oklab[..., 1] + b * oklab[..., 2]) ** 3
        for a, b in ((0.3963377774, 0.2158037573), (-0.1055613458, -0.0638541728), (-0.0894841775, -1.2914855480))
    )
    linear = np.stack(
        [
            4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
        ],
        axis=-1,
    ).clip(0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
