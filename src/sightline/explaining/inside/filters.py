"""Filters as pictures. Comes in: weights; goes out: pixels."""

import numpy as np
from numpy.typing import NDArray

from sightline.data.warp import Floats

MOST = 128


def drawn(weights: Floats) -> list[NDArray[np.uint8]]:
    """(F, C, height, width) -> F pictures (height, width, 1 or 3): grey is 0, the strongest weight is black or white.

    Colour where a filter reads three channels. Those that weigh most come first, of many the first MOST.
    """
    order = np.argsort(-np.abs(weights).max(axis=(1, 2, 3)), kind="stable")[:MOST]
    found = []
    for one in weights[order]:
        scaled = 127.5 + 127.5 * one / max(float(np.abs(one).max()), 1e-12)
        found.append(np.rint(scaled.transpose(1, 2, 0)).astype(np.uint8))
    return found
