"""Blur every second picture, with a Gaussian of 0.1 to 2 pixels (as in SimCLR, Chen et al., 2020)."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from sightline.data.augment import Draw, View
from sightline.data.augment._ops import Floats, column, finished, some, working

MAY_CHANGE_LABEL = False
CHANCE = 0.5
SIGMAS = (0.1, 2.0)  # pixels
RADIUS = 6  # pixels: three of the largest sigma


def augment(view: View, draw: Draw) -> View:
    """(N, C, H, W) -> same shape; the picture goes on mirrored beyond its edges."""
    chosen, where = draw.uniform("gaussian_blur", 2).T
    sigmas = SIGMAS[0] + (SIGMAS[1] - SIGMAS[0]) * where

    def soften(images: Tensor, rows: NDArray[np.intp]) -> Tensor:
        return blur(images, sigmas[rows])

    return view.replaced(some(view.images, chosen < CHANCE, soften))


def blur(images: Tensor, sigmas: Floats) -> Tensor:
    """uint8 or float32 (n, C, H, W), sigmas (n,) in pixels -> the same; rows first, then columns."""
    values = working(images)
    for axis in (2, 3):
        side = images.shape[axis]
        radius = min(RADIUS, side - 1)  # mirroring reaches no further
        weights = np.exp(-0.5 * (np.arange(radius + 1) / sigmas[:, None]) ** 2)  # (n, radius + 1), from the middle
        weights /= weights[:, :1] + 2 * weights[:, 1:].sum(1, keepdims=True)
        padded = F.pad(values, (0, 0, radius, radius) if axis == 2 else (radius, radius, 0, 0), mode="reflect")
        values = values * column(weights[:, 0], images)
        for offset in range(1, radius + 1):
            if weights[:, offset].max() > 1e-4:  # 0.03 of a grey level
                pair = torch.add(padded.narrow(axis, radius - offset, side), padded.narrow(axis, radius + offset, side))
                values.add_(pair.mul_(column(weights[:, offset], images)))
    return finished(values, images.dtype)
