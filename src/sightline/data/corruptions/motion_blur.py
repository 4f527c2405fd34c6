"""Motion: every point leaves a streak, within 45 degrees of the horizontal."""

import numpy as np

from sightline.data.corruptions._fields import convolved, streak
from sightline.data.corruptions._levels import Level
from sightline.data.warp import Floats

FAMILY = "blur"
MEANING = "the camera, or the thing, moved"
# Half of the length in pixels, and the Gaussian by which it fades: CIFAR-10-C, ImageNet-C.
RADIUS = (6, 6, 6, 8, 9), (10, 15, 15, 15, 20)
SIGMA = (1.0, 1.5, 2.0, 2.0, 2.5), (3.0, 5.0, 8.0, 12.0, 15.0)


def corrupt(image: Floats, level: Level, random: np.random.Generator) -> Floats:
    """(H, W, C) 0..1 -> the same."""
    return convolved(image, streak(level.length(*RADIUS), level.length(*SIGMA), random.uniform(-45, 45)))
