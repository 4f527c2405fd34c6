"""CutMix (Yun et al., 2019): a rectangle of another picture, and as much of its label as it covers."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sightline.data.augment import Draw
from sightline.data.augment._ops import Floats, indexed


def mix(images: Tensor, partners: Tensor, draw: Draw) -> tuple[Tensor, Floats]:
    """(N, C, H, W) and its partners -> mixed, and the share (N,) of each picture's own label."""
    height, width = images.shape[2:]
    boxes, done = _boxes(height, width, draw), images.clone()
    for target, other, (top, left, tall, wide) in zip(indexed(done), indexed(partners), boxes.tolist(), strict=True):
        target[:, top : top + tall, left : left + wide] = other[:, top : top + tall, left : left + wide]
    return done, 1 - boxes[:, 2] * boxes[:, 3] / (height * width)


def _boxes(height: int, width: int, draw: Draw) -> NDArray[np.int64]:
    """(N, 4): top, left, height, width. Before it is cut off at the edges a box covers a uniform share."""
    share, down, right = draw.uniform("cutmix", 3).T
    half = 0.5 * np.sqrt(share)
    edges = []
    for side, at in ((height, down), (width, right)):
        middle, reach = np.floor(at * side), np.floor(half * side)
        start = np.maximum(middle - reach, 0)
        edges.append((start, np.minimum(middle + reach, side) - start))
    (top, box_height), (left, box_width) = edges
    return np.stack([top, left, box_height, box_width], 1).astype(np.int64)
