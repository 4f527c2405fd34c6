"""Glass: each pixel is seen from a place near its own.

The original swaps neighbours one after the other, in a loop over pixels; here each pixel is taken from a random place
within a reach, all at once; the reaches were set so that pictures of 224 pixels end as far from themselves. The
original's severities for 32 pixels differ by less than their chance; these are spread over them.
"""

import numpy as np

from sightline.data.corruptions._fields import blurred
from sightline.data.corruptions._levels import Level
from sightline.data.warp import Floats, mirrored

FAMILY = "blur"
MEANING = "through frosted or rippled glass"
# Reach in pixels to either side; the blur before, in pixels.
REACH = (0.8, 1.0, 1.2, 1.6, 2.0), (1.6, 2.0, 3.5, 4.0, 5.0)
SIGMA = (0.05, 0.1, 0.2, 0.3, 0.4), (0.7, 0.9, 1.0, 1.1, 1.5)


def corrupt(image: Floats, level: Level, random: np.random.Generator) -> Floats:
    """(H, W, C) 0..1 -> the same."""
    height, width = image.shape[:2]
    reach = np.float32(level.length(*REACH))
    y, x = np.rint(reach * (2 * random.random((2, height, width), np.float32) - 1)).astype(np.intp)
    rows, columns = mirrored(np.arange(height)[:, None] + y, height), mirrored(np.arange(width) + x, width)
    return np.asarray(blurred(image, level.length(*SIGMA))[rows, columns])
