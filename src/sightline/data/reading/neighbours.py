"""How far pictures of one class look alike, pixel by pixel: what the length of a training is chosen by.

Comes in: some pictures and their classes; goes out: a share. Must not know data sets.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sightline.data.preprocess import Pixels
from sightline.data.resize import average

SIDE = 16  # pixels; finer detail decides for few pictures which other one is the nearest


def alike(pictures: Sequence[Pixels], labels: NDArray[np.int64]) -> float:
    """How often the nearest other picture is of the same class, 0: as often as by chance, 1: always.

    Nearest by the correlation of their thumbnails. By chance: the share of the commonest class.
    """
    if len(labels) < 2:
        return 0.0
    by_chance = float(np.bincount(labels).max() / len(labels))
    if by_chance == 1:
        return 0.0
    small = np.stack([_thumbnail(picture) for picture in pictures])  # (N, D)
    small -= small.mean(axis=0)
    small /= np.maximum(np.linalg.norm(small, axis=1, keepdims=True), 1e-6)
    nearness = small @ small.T
    np.fill_diagonal(nearness, -np.inf)
    right = float((labels[nearness.argmax(axis=1)] == labels).mean())
    return max(0.0, (right - by_chance) / (1 - by_chance))


def _thumbnail(picture: Pixels) -> NDArray[np.float32]:
    """(h, w, C) -> colour (3 * SIDE * SIDE,)."""
    small = average(picture, SIDE, SIDE).astype(np.float32)
    return np.broadcast_to(small, (SIDE, SIDE, 3)).reshape(-1).copy() if small.shape[2] == 1 else small.reshape(-1)
