"""Random resized crop (Szegedy et al., 2014): a random part of the picture, scaled to the frame, bilinear."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from sightline.data.augment import Draw, View

MAY_CHANGE_LABEL = False
# Share of the picture's area. Below a third small objects leave the crop; ImageNet's 0.08 is for 300 epochs.
MIN_AREA = 0.35
MAX_ASPECT = 4 / 3


def augment(view: View, draw: Draw) -> View:
    """(N, C, h, w) with valid `sizes` -> (N, C, height, width) of the frame."""
    boxes = torch.from_numpy(_boxes(view.sizes, draw)).float()  # (N, 4): top, left, height, width, in pixels
    height, width = view.images.shape[2:]
    top, left, box_height, box_width = boxes.unbind(1)
    theta = torch.zeros(len(boxes), 2, 3)
    theta[:, 0, 0], theta[:, 0, 2] = box_width / width, (2 * left + box_width) / width - 1
    theta[:, 1, 1], theta[:, 1, 2] = box_height / height, (2 * top + box_height) / height - 1
    grid = F.affine_grid(theta, [len(boxes), 1, *view.frame], align_corners=False)
    images = F.grid_sample(view.images.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)
    return view.replaced(images)


def _boxes(sizes: NDArray[np.int64], draw: Draw) -> NDArray[np.float64]:
    """(N, 2) picture sizes -> (N, 4) boxes inside them: top, left, height, width."""
    area, aspect, down, right = draw.uniform("resized_crop", 4).T
    share = np.sqrt(MIN_AREA + (1 - MIN_AREA) * area)
    stretch = np.exp((aspect - 0.5) * np.log(MAX_ASPECT))  # between 1/sqrt(4/3) and sqrt(4/3) a side
    side = np.sqrt(sizes[:, 0] * sizes[:, 1])
    height = np.minimum(side * share / stretch, sizes[:, 0])
    width = np.minimum(side * share * stretch, sizes[:, 1])
    return np.stack([(sizes[:, 0] - height) * down, (sizes[:, 1] - width) * right, height, width], axis=1)
