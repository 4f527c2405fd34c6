"""Coarse maps become maps of the frame."""

import numpy as np
from numpy.typing import NDArray

from sightline.data.warp import Floats


def in_frame(coarse: Floats, frame: tuple[int, int]) -> Floats:
    """(N, H', W') -> (N, height, width), bilinear between the middles of the coarse pixels."""
    upright = [_weights(side, large) for side, large in zip(coarse.shape[1:], frame, strict=True)]
    return np.ascontiguousarray(upright[0] @ coarse @ upright[1].T, np.float32)


def _weights(side: int, large: int) -> Floats:
    """(large, side): how much of each coarse pixel is in each fine one."""
    before, after, share = between((np.arange(large) + 0.5) * side / large - 0.5, side)
    weights = np.zeros((large, side), np.float32)
    rows = np.arange(large)
    weights[rows, before] += 1 - share
    weights[rows, after] += share
    return weights


def between(places: NDArray[np.float64], num: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """The points before and behind each place among `num`, and how far it is from the first to the second."""
    inside = places.clip(0, num - 1)
    before = np.floor(inside).astype(np.intp)
    return before, np.minimum(before + 1, num - 1), inside - before
