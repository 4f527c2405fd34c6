"""Random erasing (Zhong et al., 2020): in every second picture a rectangle takes on the picture's mean colour."""

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.data.augment import Draw, View
from sightline.data.augment._ops import indexed, means_of

MAY_CHANGE_LABEL = False  # what is left of a picture is of its class
CHANCE = 0.5
AREA = (0.02, 0.33)  # share of the picture
MAX_ASPECT = 3.3
NUM_TRIES = 10  # rectangles drawn, of which the first that fits is taken


def augment(view: View, draw: Draw) -> View:
    """(N, C, H, W) -> same shape."""
    boxes = _boxes(view.frame, draw)
    chosen = (draw.uniform("erasing")[:, 0] < CHANCE) & (boxes[:, 2] > 0)

    rows, done = np.flatnonzero(chosen), view.images.clone()
    if len(rows):
        pictures = view.images.index_select(0, torch.from_numpy(rows).to(done.device))
        means = means_of(pictures).round().to(done.dtype)[..., 0]  # (n, C, 1)
        for row, mean in zip(rows.tolist(), indexed(means), strict=True):
            top, left, height, width = boxes[row].tolist()
            indexed(done)[row, :, top : top + height, left : left + width] = mean[..., None]
    return view.replaced(done)


def _boxes(frame: tuple[int, int], draw: Draw) -> NDArray[np.int64]:
    """(N, 4): top, left, height, width; height 0 where none of the tries fits."""
    numbers = draw.uniform("erasing boxes", 2 * NUM_TRIES + 2)
    area = frame[0] * frame[1] * (AREA[0] + (AREA[1] - AREA[0]) * numbers[:, :NUM_TRIES])
    aspect = np.exp((2 * numbers[:, NUM_TRIES:-2] - 1) * np.log(MAX_ASPECT))
    heights, widths = np.round(np.sqrt(area * aspect)), np.round(np.sqrt(area / aspect))  # (N, NUM_TRIES)
    fits = (heights < frame[0]) & (widths < frame[1])
    first = (np.arange(len(fits)), fits.argmax(1))
    height, width = heights[first] * fits.any(1), widths[first]
    top, left = (np.floor(numbers[:, -2] * (frame[0] - height + 1)), np.floor(numbers[:, -1] * (frame[1] - width + 1)))
    return np.stack([top, left, height, width], 1).astype(np.int64)
