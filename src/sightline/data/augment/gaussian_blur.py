"""Blur every second picture, with a Gaussian of 0.1 to 2 pixels (as in SimCLR, Chen et al., 2020)."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from sightline.data.augment import Draw, View
from sightline.data.augment._ops import Floats, by_group, column, rounded, working

MAY_CHANGE_LABEL = False
CHANCE = 0.5
SIGMAS = (0.1, 2.0)  # pixels
RADIUS = 6  # pixels: three of the largest sigma
NOTHING = 1e-4  # a weight beside the middle's 1: 0.03 of a grey level


def augment(view: View, draw: Draw) -> View:
    """(N, C, H, W) -> same shape; the picture goes on mirrored beyond its edges."""
    chosen, where = draw.uniform("gaussian_blur", 2).T
    sigmas = SIGMAS[0] + (SIGMAS[1] - SIGMAS[0]) * where
    return view.replaced(blur(view.images, np.where(chosen < CHANCE, sigmas, 0)))


def blur(images: Tensor, sigmas: Floats) -> Tensor:
    """uint8 or float32 (N, C, H, W), sigmas (N,) in pixels -> the same; 0 leaves a picture as it is."""
    weights = np.exp(-0.5 * (np.arange(RADIUS + 1) / np.maximum(sigmas, 1e-9)[:, None]) ** 2)  # from the middle
    radii = (weights > NOTHING).sum(axis=1) - 1

    def soften(part: Tensor, rows: NDArray[np.intp]) -> Tensor:
        return _softened(part, weights[rows, : radii[rows[0]] + 1])

    return by_group(images, radii, dict.fromkeys(range(1, RADIUS + 1), soften))


def _softened(images: Tensor, weights: Floats) -> Tensor:
    """By weights (n, radius + 1) of the middle and of the pixels on both sides: along columns, then along rows."""
    values = working(images)
    pair = torch.empty_like(values)
    for axis in (2, 3):
        side = images.shape[axis]
        radius = min(weights.shape[1], side) - 1  # mirroring reaches no further
        shares = weights[:, : radius + 1] / (2 * weights[:, : radius + 1].sum(1, keepdims=True) - weights[:, :1])
        padded = F.pad(values, (0, 0, radius, radius) if axis == 2 else (radius, radius, 0, 0), mode="reflect")
        values.mul_(column(shares[:, 0], images))
        for k in range(1, radius + 1):
            torch.add(padded.narrow(axis, radius - k, side), padded.narrow(axis, radius + k, side), out=pair)
            values.add_(pair.mul_(column(shares[:, k], images)))
    return rounded(values, images.dtype)
