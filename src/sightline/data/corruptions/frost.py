"""Frost: ice on the lens, from the edges inwards.

The original lays photographs of ice over the picture. This has none: clouds of two grains, bent into veins, thicker
towards the edges, are blended in. Its severities are therefore its own.
"""

import numpy as np

from sightline.data.corruptions._fields import clouds
from sightline.data.corruptions._levels import Level
from sightline.data.preprocess import to_channels
from sightline.data.warp import Floats, sampled

FAMILY = "weather"
MEANING = "ice or dirt on the lens"
SMALL, LARGE = (0.25, 0.35, 0.45, 0.55, 0.65), (0.5, 0.6, 0.7, 0.8, 0.9)  # the most of a pixel that ice covers
TINT = (0.82, 0.92, 1.0)  # of white ice, red to blue
BENT = 0.12  # of the side, by which veins wander
VEINS = 6  # the larger, the thinner


def corrupt(image: Floats, level: Level, random: np.random.Generator) -> Floats:
    """(H, W, C) 0..1 -> the same."""
    height, width, channels = image.shape
    coarse = [clouds(height, width, 2.5, random)[:, :, 0] - np.float32(0.5) for _ in range(2)]
    y, x = np.mgrid[:height, :width].astype(np.float64)
    veins = 1 - abs(2 * clouds(height, width, 1.6, random) - 1)  # bright where the cloud passes its middle
    veins = sampled(veins, y + BENT * level.side * coarse[0], x + BENT * level.side * coarse[1]) ** VEINS
    from_middle = np.hypot(2 * y / (height - 1) - 1, 2 * x / (width - 1) - 1)[..., None].astype(np.float32)
    grain = clouds(height, width, 1.3, random)
    thick = (0.4 + 0.4 * from_middle + 0.5 * veins).clip(0, 1) * (0.7 + 0.3 * grain)  # (H, W, 1)
    ice = ((0.55 + 0.45 * np.maximum(veins, grain)) * np.array(TINT)).astype(np.float32)  # (H, W, 3)
    cover = np.float32(level.strength(SMALL, LARGE)) * thick
    return np.asarray((1 - cover) * image + cover * to_channels(ice, channels))
