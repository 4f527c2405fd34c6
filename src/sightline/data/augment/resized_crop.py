"""Random resized crop (Szegedy et al., 2014): a random part of the picture, scaled to the frame.

Bilinear, antialiased where it shrinks, from whole pixels: the same kernel as torchvision's `resized_crop`.
"""

import numpy as np
from numpy.typing import NDArray

from sightline.data.augment import Draw, View
from sightline.data.augment._ops import scaled

MAY_CHANGE_LABEL = False
# Share of the picture's area. Below a third small objects leave the crop; ImageNet's 0.08 is for 300 epochs.
MIN_AREA = 0.35
MAX_ASPECT = 4 / 3


def augment(view: View, draw: Draw) -> View:
    """Pictures of any sizes -> (1, C, height, width) of the frame each."""
    return view.replaced([scaled(part, view.frame) for part in view.cut(_boxes(view.sizes, draw))])


def _boxes(sizes: NDArray[np.int64], draw: Draw) -> NDArray[np.int64]:
    """(N, 2) picture sizes -> (N, 4) boxes inside them: top, left, height, width."""
    area, aspect, down, right = draw.uniform("resized_crop", 4).T
    share = np.sqrt(MIN_AREA + (1 - MIN_AREA) * area)
    stretch = np.exp((aspect - 0.5) * np.log(MAX_ASPECT))  # between 1/sqrt(4/3) and sqrt(4/3) a side
    side = np.sqrt(sizes[:, 0] * sizes[:, 1])
    height, width = (
        np.clip(np.round(side * share * s), 1, sizes[:, axis]) for axis, s in ((0, 1 / stretch), (1, stretch))
    )
    top, left = np.floor((sizes[:, 0] - height + 1) * down), np.floor((sizes[:, 1] - width + 1) * right)
    return np.stack([top, left, height, width], axis=1).astype(np.int64)
