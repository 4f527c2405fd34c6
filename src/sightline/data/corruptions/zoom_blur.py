"""Zoom: the mean of the picture at many magnifications."""

from math import ceil

import numpy as np

from sightline.data.corruptions._levels import Level
from sightline.data.warp import Floats, stretched

FAMILY = "blur"
MEANING = "the camera moved towards the thing"
# The largest magnification beyond 1: CIFAR-10-C, ImageNet-C.
SMALL, LARGE = (0.05, 0.10, 0.15, 0.20, 0.25), (0.10, 0.15, 0.20, 0.24, 0.30)
FEWEST, MOST = 6, 16  # magnifications; else as many as leave edges a pixel apart. The original takes 6 to 26


def corrupt(image: Floats, level: Level, random: np.random.Generator) -> Floats:
    """(H, W, C) 0..1 -> the same."""
    beyond = level.strength(SMALL, LARGE)
    num = min(max(ceil(beyond * level.side / 2) + 1, FEWEST), MOST)
    total = image.copy()
    for zoom in np.linspace(1, 1 + beyond, num)[1:]:
        total += stretched(image, image.shape[0], image.shape[1], float(zoom))
    return total / np.float32(num)
