"""Random resized crop (Szegedy et al., 2014): a random part of the picture, scaled to the frame.

Bilinear, antialiased where it shrinks, from whole pixels: the same kernel as torchvision's `resized_crop`.
"""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from sightline.data.augment import Draw, View
from sightline.data.augment._ops import finished

MAY_CHANGE_LABEL = False
# Share of the picture's area. Below a third small objects leave the crop; ImageNet's 0.08 is for 300 epochs.
MIN_AREA = 0.35
MAX_ASPECT = 4 / 3


def augment(view: View, draw: Draw) -> View:
    """(N, C, h, w) with valid `sizes` -> (N, C, height, width) of the frame."""
    images = view.images
    # A processor has a kernel for uint8, four times as fast as the one for float32; other devices have the latter.
    source = (images if images.device.type == "cpu" else images.float()).permute(0, 2, 3, 1)
    # Rows of pixels, put together here: torch's own copy of a part does not see that they lie behind one another.
    parts = (
        source[n : n + 1, y : y + h, x : x + w].contiguous()
        for n, (y, x, h, w) in enumerate(_boxes(view.sizes, draw).tolist())
    )
    crops = [F.interpolate(p.permute(0, 3, 1, 2), view.frame, mode="bilinear", antialias=True) for p in parts]
    done = torch.cat(crops)
    return view.replaced(done if done.dtype == images.dtype else finished(done, images.dtype))


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
