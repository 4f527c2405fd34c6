"""Brightness: more light, of the same colour."""

import numpy as np

from sightline.data.corruptions._levels import Level
from sightline.data.warp import Floats

FAMILY = "weather"
MEANING = "overexposed, or glaring light"
# Added to the brightest of a pixel's channels, its value in HSV: CIFAR-10-C, ImageNet-C.
SMALL, LARGE = (0.05, 0.10, 0.15, 0.20, 0.30), (0.1, 0.2, 0.3, 0.4, 0.5)


def corrupt(image: Floats, level: Level, random: np.random.Generator) -> Floats:
    """(H, W, C) 0..1 -> the same; hue and saturation stay."""
    value = image.max(axis=2, keepdims=True)
    brighter = np.minimum(value + np.float32(level.strength(SMALL, LARGE)), 1)
    scaled = image * (brighter / np.maximum(value, np.float32(1e-6)))
    return np.asarray(np.where(value > 0, scaled, brighter))
