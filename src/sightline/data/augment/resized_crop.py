"""Random resized crop (Szegedy et al., 2014): a random part of the picture, scaled to the frame by the one resize."""

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.data.augment import Draw, View
from sightline.data.decoding import Pixels
from sightline.data.resize import resize

MAY_CHANGE_LABEL = False
# Share of the picture's area. Below a third small objects leave the crop; ImageNet's 0.08 is for 300 epochs.
MIN_AREA = 0.35
MAX_ASPECT = 4 / 3


def augment(view: View, draw: Draw) -> View:
    """(N, C, h, w) with valid `sizes` -> (N, C, height, width) of the frame and of the same kind."""
    pictures: Pixels = view.images.cpu().permute(0, 2, 3, 1).numpy()  # (N, h, w, C)
    cut = np.empty((len(pictures), *view.frame, pictures.shape[3]), pictures.dtype)
    for n, (top, left, height, width) in enumerate(_boxes(view.sizes, draw)):
        cut[n] = resize(pictures[n, top : top + height, left : left + width], *view.frame, "bilinear")
    return view.replaced(torch.from_numpy(cut).permute(0, 3, 1, 2).to(view.images.device))


def _boxes(sizes: NDArray[np.int64], draw: Draw) -> NDArray[np.int64]:
    """(N, 2) picture sizes -> (N, 4) boxes inside them in whole pixels: top, left, height, width."""
    area, aspect, down, right = draw.uniform("resized_crop", 4).T
    share = np.sqrt(MIN_AREA + (1 - MIN_AREA) * area)
    stretch = np.exp((aspect - 0.5) * np.log(MAX_ASPECT))  # between 1/sqrt(4/3) and sqrt(4/3) a side
    side = np.sqrt(sizes[:, 0] * sizes[:, 1])
    height = np.minimum(side * share / stretch, sizes[:, 0]).round().clip(1)
    width = np.minimum(side * share * stretch, sizes[:, 1]).round().clip(1)
    corner = (sizes[:, 0] - height) * down, (sizes[:, 1] - width) * right
    return np.stack([*np.round(corner), height, width], axis=1).astype(np.int64)
