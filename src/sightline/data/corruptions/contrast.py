"""Contrast: every channel drawn towards its mean."""

import numpy as np

from sightline.data.corruptions._levels import Level
from sightline.data.warp import Floats

FAMILY = "digital"
MEANING = "flat light, or a poor camera"
# What remains of the distance from the mean: CIFAR-10-C, ImageNet-C.
SMALL, LARGE = (0.75, 0.5, 0.4, 0.3, 0.15), (0.4, 0.3, 0.2, 0.1, 0.05)


def corrupt(image: Floats, level: Level, random: np.random.Generator) -> Floats:
    """(H, W, C) 0..1 -> the same."""
    mean = image.mean(axis=(0, 1), keepdims=True)
    return np.asarray(mean + np.float32(level.strength(SMALL, LARGE)) * (image - mean))
