"""mixup (Zhang et al., 2018): the weighted mean of two pictures, and of their labels."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sightline.data.augment import Draw
from sightline.data.augment._ops import Floats, column, every, finished, working

# Of the weights' Beta distribution: the paper's for ImageNet. Most pictures keep over nine tenths of themselves or less
# than one tenth.
ALPHA = 0.2
NUM_TRIES = 8  # 1 in 10**10 pictures would need more


def mix(images: Tensor, partners: Tensor, draw: Draw) -> tuple[Tensor, Floats]:
    """(N, C, H, W) and its partners -> mixed, and the share (N,) of each picture's own label."""
    shares = _shares(draw)

    def blend(part: Tensor, rows: NDArray[np.intp]) -> Tensor:
        share = column(shares[rows], part)
        others = working(partners[int(rows[0]) : int(rows[-1]) + 1]).mul_(1 - share)
        return finished(working(part).mul_(share).add_(others), part.dtype)

    return every(images, blend), shares


def _shares(draw: Draw) -> Floats:
    """(N,) from Beta(ALPHA, ALPHA), by Jöhnk's algorithm (1964): of powers of uniform numbers, a pair whose sum is
    at most 1."""
    powers = draw.uniform("mixup", 2 * NUM_TRIES).reshape(-1, NUM_TRIES, 2) ** (1 / ALPHA)
    sums = powers.sum(axis=2)
    first = (np.arange(len(sums)), ((sums <= 1) & (sums > 0)).argmax(axis=1))
    return np.asarray(powers[..., 0][first] / sums[first])
