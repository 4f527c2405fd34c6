"""Take the colour away from one picture in ten (as in SimCLR, Chen et al., 2020; there one in five)."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sightline.data.augment import Draw, View
from sightline.data.augment._ops import finished, grey_of, some, working

MAY_CHANGE_LABEL = True  # where the colour is the class
CHANCE = 0.1  # torchvision's default


def augment(view: View, draw: Draw) -> View:
    """(N, C, H, W) -> same shape, every channel the luma."""
    if view.images.shape[1] == 1:
        return view

    def grey(images: Tensor, rows: NDArray[np.intp]) -> Tensor:
        return finished(grey_of(working(images)), images.dtype).expand_as(images)

    return view.replaced(some(view.images, draw.uniform("grayscale")[:, 0] < CHANCE, grey))
