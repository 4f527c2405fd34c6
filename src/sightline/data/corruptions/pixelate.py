"""Pixelate: the picture of a smaller one."""

import numpy as np

from sightline.data.corruptions._levels import Level
from sightline.data.resize import average
from sightline.data.warp import Floats

FAMILY = "digital"
MEANING = "enlarged from too few pixels"
# The side that is left: CIFAR-10-C, ImageNet-C.
SMALL, LARGE = (0.95, 0.9, 0.85, 0.75, 0.65), (0.6, 0.5, 0.4, 0.3, 0.25)


def corrupt(image: Floats, level: Level, random: np.random.Generator) -> Floats:
    """(H, W, C) 0..1 -> the same."""
    height, width = image.shape[:2]
    share = level.strength(SMALL, LARGE)
    small = average(image, max(1, int(share * height)), max(1, int(share * width)))
    rows, columns = (
        (2 * np.arange(side) + 1) * num // (2 * side)
        for side, num in ((height, small.shape[0]), (width, small.shape[1]))
    )
    return np.asarray(small[rows[:, None], columns])
