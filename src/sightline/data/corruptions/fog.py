"""Fog: a pale cloud over the picture, and less contrast behind it."""

import numpy as np

from sightline.data.corruptions._fields import clouds
from sightline.data.corruptions._levels import Level
from sightline.data.warp import Floats

FAMILY = "weather"
MEANING = "fog, smoke or a steamed lens"
# How dense, and how much fainter its finer parts are: CIFAR-10-C, ImageNet-C.
DENSE = (0.2, 0.5, 0.75, 1.0, 1.5), (1.5, 2.0, 2.5, 2.5, 3.0)
DECAY = (3.0, 3.0, 2.5, 2.0, 1.75), (2.0, 2.0, 1.7, 1.5, 1.4)


def corrupt(image: Floats, level: Level, random: np.random.Generator) -> Floats:
    """(H, W, C) 0..1 -> the same; its brightest value stays what it was where no fog is."""
    dense, brightest = np.float32(level.strength(*DENSE)), max(float(image.max()), 1e-6)
    cloud = clouds(image.shape[0], image.shape[1], level.strength(*DECAY), random)
    return (image + dense * cloud) * np.float32(brightest / (brightest + float(dense)))
