"""Brightness, contrast and saturation by factors, and the hue by an angle (Krizhevsky et al., 2012; Howard, 2013).

Always in this order: torchvision draws the order too, which changes a picture less than the factors do.
"""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sightline.data.augment import Draw, View
from sightline.data.augment._ops import (
    add_contrast,
    brighten,
    column,
    every,
    finished,
    saturate,
    turn_hue,
    working,
)

MAY_CHANGE_LABEL = True  # unripe, ripe
REACH = 0.4  # of the factors, to either side of 1
HUE_REACH = 0.1  # of the whole circle


def augment(view: View, draw: Draw) -> View:
    """(N, C, H, W) -> same shape. Grey pictures have no saturation and no hue."""
    numbers = 2 * draw.uniform("color_jitter", 4) - 1
    factors, turns = 1 + REACH * numbers[:, :3], HUE_REACH * numbers[:, 3]

    def jitter(images: Tensor, rows: NDArray[np.intp]) -> Tensor:
        values = working(images)
        for factor, change in zip(factors[rows].T, (brighten, add_contrast, saturate), strict=True):
            values = change(values, column(factor, images))
        return finished(turn_hue(values, column(turns[rows], images)), images.dtype)

    return view.replaced(every(view.images, jitter))
