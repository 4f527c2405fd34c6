"""Impulse noise: some values are lost, to black or to white."""

import numpy as np

from sightline.data.corruptions._levels import Level
from sightline.data.warp import Floats

FAMILY = "noise"
MEANING = "dead pixels and errors in transmission"
# Share of the values: CIFAR-10-C, ImageNet-C.
SMALL, LARGE = (0.01, 0.02, 0.03, 0.05, 0.07), (0.03, 0.06, 0.09, 0.17, 0.27)


def corrupt(image: Floats, level: Level, random: np.random.Generator) -> Floats:
    """(H, W, C) 0..1 -> the same."""
    half, where = level.strength(SMALL, LARGE) / 2, random.random(image.shape, np.float32)
    found = image.copy()
    found[where < half] = 0
    found[where > 1 - half] = 1
    return found
