"""Coarse maps become maps of the frame."""

import numpy as np

from sightline.data.warp import Floats


def in_frame(coarse: Floats, frame: tuple[int, int]) -> Floats:
    """(N, H', W') -> (N, height, width), bilinear between the middles of the coarse pixels."""
    upright = [_weights(side, large) for side, large in zip(coarse.shape[1:], frame, strict=True)]
    return np.ascontiguousarray(upright[0] @ coarse @ upright[1].T, np.float32)


def _weights(side: int, large: int) -> Floats:
    """(large, side): how much of each coarse pixel is in each fine one."""
    places = ((np.arange(large) + 0.5) * side / large - 0.5).clip(0, side - 1)
    before = np.floor(places).astype(np.intp)
    after = np.minimum(before + 1, side - 1)
    weights = np.zeros((large, side), np.float32)
    rows = np.arange(large)
    weights[rows, before] += 1 - (places - before)
    weights[rows, after] += places - before
    return weights
