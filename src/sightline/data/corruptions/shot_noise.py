"""Shot noise: light comes in quanta, and few of them are counted."""

import numpy as np

from sightline.data.corruptions._levels import Level
from sightline.data.warp import Floats

FAMILY = "noise"
MEANING = "grain of a short exposure, stronger where it is bright"
# Quanta that a white pixel counts: CIFAR-10-C, ImageNet-C.
SMALL, LARGE = (500, 250, 100, 75, 50), (60, 25, 12, 5, 3)


def corrupt(image: Floats, level: Level, random: np.random.Generator) -> Floats:
    """(H, W, C) 0..1 -> the same."""
    quanta = level.strength(SMALL, LARGE)
    return (random.poisson(image * quanta) / quanta).astype(np.float32)
