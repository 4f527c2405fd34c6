"""Insertion: how probable the answer is while a blurred picture becomes sharp, the most important first (Petsiuk et
al., 2018, RISE). The area under that curve: high where the map is right.
"""

import numpy as np
from numpy.typing import NDArray

from sightline.data.warp import Floats
from sightline.explaining.faithfulness import _steps
from sightline.explaining.faithfulness._asked import Asked

BETTER = "higher"
SAYS = "probability of the answer while what matters is made sharp"

BLUR = 1 / 20  # of the shorter side, a standard deviation: shapes of parts are gone


def measure(asked: Asked) -> NDArray[np.float64]:
    """(N,) in 0..1."""
    return _steps.area(asked, blurred(asked.subject.pixels), asked.subject.pixels)


def blurred(pixels: Floats) -> Floats:
    """(N, height, width, C), by a Gaussian; beyond the edges a picture goes on as it ends."""
    height, width = pixels.shape[1:3]
    deviation = BLUR * min(height, width)
    upright, across = (_weights(side, deviation) for side in (height, width))
    return np.asarray(np.einsum("yr,nrsc,xs->nyxc", upright, pixels, across, optimize=True), np.float32)


def _weights(side: int, deviation: float) -> Floats:
    """(side, side): how much of each point is in each blurred one."""
    reach = int(4 * deviation) + 1
    places = np.arange(side)[:, None] + np.arange(-reach, reach + 1)
    shares = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    weights = np.zeros((side, side))
    np.add.at(weights, (np.arange(side)[:, None], places.clip(0, side - 1)), np.broadcast_to(shares, places.shape))
    return np.asarray(weights / shares.sum(), np.float32)
