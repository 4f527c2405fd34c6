"""Gaussian noise: each value by itself, as in a dark room."""

import numpy as np

from sightline.data.corruptions._levels import Level
from sightline.data.warp import Floats

FAMILY = "noise"
MEANING = "grain of a sensor in poor light"
# Standard deviations, of 1: CIFAR-10-C, ImageNet-C.
SMALL, LARGE = (0.04, 0.06, 0.08, 0.09, 0.10), (0.08, 0.12, 0.18, 0.26, 0.38)


def corrupt(image: Floats, level: Level, random: np.random.Generator) -> Floats:
    """(H, W, C) 0..1 -> the same."""
    return image + np.float32(level.strength(SMALL, LARGE)) * random.standard_normal(image.shape, np.float32)
