"""Elastic: bent as a cloth, and slightly slanted.

The numbers are its own: the published ones bend ever more finely and ever less far, so that by distance the second of
five is the strongest.
"""

import numpy as np

from sightline.data.corruptions._fields import blurred
from sightline.data.corruptions._levels import Level
from sightline.data.warp import Floats, sampled

FAMILY = "digital"
MEANING = "bent paper, skin or cloth"
# Shares of the side, of 32 pixels and of 224: how far a point goes in the root mean square, and how far corners do.
FAR = (0.004, 0.007, 0.010, 0.014, 0.018), (0.002, 0.0035, 0.005, 0.007, 0.009)
SLANT = (0.008, 0.011, 0.014, 0.017, 0.020), (0.005, 0.0065, 0.008, 0.0095, 0.011)
SMOOTH = 0.03  # of the side: the Gaussian by which neighbours go together


def corrupt(image: Floats, level: Level, random: np.random.Generator) -> Floats:
    """(H, W, C) 0..1 -> the same."""
    height, width = image.shape[:2]
    slants = random.uniform(-1, 1, (2, 3))  # of the two axes: a shift, and a slope along each
    bends = blurred(random.uniform(-1, 1, (height, width, 2)).astype(np.float32), SMOOTH * level.side)
    bends /= np.sqrt((bends**2).mean()) or 1
    places = np.mgrid[:height, :width].astype(np.float64)  # (2, H, W)
    along = np.stack([np.ones((height, width)), *(2 * places / (np.array([height, width])[:, None, None] - 1) - 1)])
    far, slant = level.strength(*FAR) * level.side, level.strength(*SLANT) * level.side
    moves = far * bends.transpose(2, 0, 1) + slant * np.einsum("ak,khw->ahw", slants, along)
    return sampled(image, *(places + moves))
