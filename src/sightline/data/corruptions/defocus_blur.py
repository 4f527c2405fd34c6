"""Defocus: every point is a disc."""

from functools import cache

import numpy as np

from sightline.data.corruptions._fields import convolved, disc
from sightline.data.corruptions._levels import Level
from sightline.data.warp import Floats

FAMILY = "blur"
MEANING = "out of focus"
# Radius of the disc in pixels. Large: ImageNet-C's. Small: a disc of the variance of CIFAR-10-C's kernels, which are
# the pixels whose middles lie within 0.3 to 1.5 pixels, softened by a Gaussian of 0.1 to 0.6; between the sizes such a
# disc would be a single pixel and blur nothing.
SMALL, LARGE = (0.57, 0.92, 1.15, 1.26, 1.63), (3.0, 4.0, 6.0, 8.0, 10.0)


def corrupt(image: Floats, level: Level, random: np.random.Generator) -> Floats:
    """(H, W, C) 0..1 -> the same."""
    return convolved(image, _kernel(level))


@cache
def _kernel(level: Level) -> Floats:
    return disc(level.length(SMALL, LARGE))
