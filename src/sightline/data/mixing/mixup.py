"""mixup (Zhang et al., 2018): the weighted mean of two pictures, and of their labels."""

import numpy as np
import torch
from torch import Tensor

from sightline.data.augment import Draw
from sightline.data.augment._ops import BLOCK, Floats, column

# Of the weights' Beta distribution: the paper's for ImageNet. Most pictures keep over nine tenths of themselves or less
# than one tenth.
ALPHA = 0.2
NUM_TRIES = 8  # 1 in 10**10 pictures would need more
PARTS = 2**7  # of a share: times 255 they fit int16, which is exact and takes half the time of float32


def mix(images: Tensor, partners: Tensor, draw: Draw) -> tuple[Tensor, Floats]:
    """(N, C, H, W) and its partners -> mixed, and the share (N,) of each picture's own label."""
    shares, done = _shares(draw), torch.empty_like(images)
    size = max(1, BLOCK // images[0].numel())
    for start in range(0, len(images), size):
        rows = slice(start, start + size)
        done[rows] = _blended(images[rows], partners[rows], column(shares[rows], images))
    return done, shares


def _blended(images: Tensor, partners: Tensor, share: Tensor) -> Tensor:
    if images.dtype != torch.uint8:
        return (images * share).add_(partners * (1 - share)).clamp_(0, 255)
    others = partners.to(torch.int16)
    mixed = images.to(torch.int16).sub_(others).mul_((share * PARTS).to(torch.int16))
    return mixed.add_(PARTS // 2).bitwise_right_shift_(PARTS.bit_length() - 1).add_(others)


def _shares(draw: Draw) -> Floats:
    """(N,) from Beta(ALPHA, ALPHA), by Jöhnk's algorithm (1964): of powers of uniform numbers, a pair whose sum is
    at most 1. In whole PARTS."""
    powers = draw.uniform("mixup", 2 * NUM_TRIES).reshape(-1, NUM_TRIES, 2) ** (1 / ALPHA)
    sums = powers.sum(axis=2)
    first = (np.arange(len(sums)), ((sums <= 1) & (sums > 0)).argmax(axis=1))
    return np.asarray(np.round(powers[..., 0][first] / sums[first] * PARTS) / PARTS)
