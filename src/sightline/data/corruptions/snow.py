"""Snow: flakes that fall, before a paler picture."""

import numpy as np

from sightline.data.corruptions._fields import convolved, streak
from sightline.data.corruptions._levels import Level
from sightline.data.preprocess import to_channels
from sightline.data.warp import Floats, stretched

FAMILY = "weather"
MEANING = "snow or heavy rain in the air"
# CIFAR-10-C, ImageNet-C: mean and spread of the noise that flakes are cut from, how large they are, the level above
# which a flake is, half the length and the fading of its fall in pixels, and the share of the picture that keeps its
# colours.
MEAN = (0.1, 0.1, 0.15, 0.25, 0.3), (0.1, 0.2, 0.55, 0.55, 0.55)
SPREAD = (0.2, 0.2, 0.3, 0.3, 0.3), (0.3, 0.3, 0.3, 0.3, 0.3)
ZOOM = (1.0, 1.0, 1.75, 2.25, 1.25), (3.0, 2.0, 4.0, 4.5, 2.5)
CUT = (0.6, 0.5, 0.55, 0.6, 0.65), (0.5, 0.5, 0.9, 0.85, 0.85)
RADIUS = (8, 10, 10, 12, 14), (10, 12, 12, 12, 12)
SIGMA = (3, 4, 4, 6, 12), (4, 4, 8, 8, 12)
KEPT = (0.95, 0.9, 0.9, 0.85, 0.8), (0.8, 0.7, 0.7, 0.65, 0.55)


def corrupt(image: Floats, level: Level, random: np.random.Generator) -> Floats:
    """(H, W, C) 0..1 -> the same."""
    height, width = image.shape[:2]
    noise = random.standard_normal((height, width, 1), np.float32)
    noise = np.float32(level.strength(*MEAN)) + np.float32(level.strength(*SPREAD)) * noise
    flakes = stretched(noise, height, width, zoom=level.strength(*ZOOM))
    flakes = np.where(flakes < level.strength(*CUT), np.float32(0), flakes.clip(0, 1))
    flakes = convolved(flakes, streak(level.length(*RADIUS), level.length(*SIGMA), random.uniform(45, 135)))
    kept = np.float32(level.strength(*KEPT))
    pale = np.maximum(image, to_channels(image, 1) * np.float32(1.5) + np.float32(0.5))
    return np.asarray(kept * image + (1 - kept) * pale + flakes + flakes[::-1, ::-1])
