"""What a channel looks for: the places in real pictures that excite it most, and a picture made to excite it.

The real ones say more: a picture that is made shows what excites, not what is meant by it (Olah, Mordvintsev and
Schubert, 2017, Feature visualization; Zhou et al., 2015, Object detectors emerge in deep scene CNNs).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sightline.data.warp import Floats

NUM_STEPS, STEP, SMOOTH = 48, 6.0, 8  # of the ascent; in grey levels; every so many steps it is blurred a little


def tell_apart(peaks: Floats, labels: NDArray[np.intp], num: int) -> list[int]:
    """Of each picture's largest values (N, D), the channels that tell classes apart best: F of an analysis of variance.

    Those that hardly answer at all are left out.
    """
    values = peaks.astype(np.float64)
    classes, members = np.unique(labels, return_inverse=True)
    counts = np.bincount(members)
    means = np.stack([np.bincount(members, one) / counts for one in values.T], axis=1)  # (K, D)
    between = (counts[:, None] * (means - values.mean(axis=0)) ** 2).sum(axis=0) / max(len(classes) - 1, 1)
    within = np.square(values - means[members]).sum(axis=0) / max(len(values) - len(classes), 1)
    order = np.argsort(-between / np.maximum(within, 1e-12 + 1e-3 * within.mean()), kind="stable")
    return [int(channel) for channel in order[:num]]


def exciting(peaks: Floats, channel: int, num: int) -> list[int]:
    """The pictures with the largest values (N, D) of a channel, largest first."""
    return [int(i) for i in np.argsort(-peaks[:, channel], kind="stable")[:num]]


def cropped(frame: NDArray[np.uint8], row: int, column: int, grid: tuple[int, int], side: int) -> NDArray[np.uint8]:
    """The square of a frame (height, width, C) about a place of a stage's grid (H', W'), moved inside if it is not."""
    height, width = frame.shape[:2]
    side = min(side, height, width)
    top, left = (
        int(np.clip(round((place + 0.5) * length / num - side / 2), 0, length - side))
        for place, num, length in ((row, grid[0], height), (column, grid[1], width))
    )
    return frame[top : top + side, left : left + side]


def made(
    gradient: Callable[[Floats, NDArray[np.intp]], tuple[Floats, Floats]],
    channels: NDArray[np.intp],
    blank: Floats,
    frame: tuple[int, int],
    seed: int,
) -> tuple[Floats, NDArray[np.bool_]]:
    """Pictures (n, height, width, C) 0..255 that excite channels (n,) more than the noise that they begin as, and
    whether each does. By steps along the gradient, the picture moved by a few pixels before each and blurred at times.
    """
    random = np.random.default_rng([seed, 0xAC7])
    shape = (len(channels), *frame, len(blank))
    images = np.clip(blank + random.normal(0, 8, shape), 0, 255).astype(np.float32)
    first, reach = gradient(images, channels)[0], max(1, min(frame) // 16)
    for step in range(NUM_STEPS):
        down, right = (int(one) for one in random.integers(-reach, reach + 1, 2))
        moved = np.roll(images, (down, right), (1, 2))
        slope = gradient(moved, channels)[1]
        size = np.sqrt(np.square(slope).mean(axis=(1, 2, 3), keepdims=True))
        moved = (moved + STEP * slope / np.maximum(size, 1e-12)).clip(0, 255)
        images = np.roll(moved, (-down, -right), (1, 2))
        if step % SMOOTH == SMOOTH - 1 and step + 1 < NUM_STEPS:
            images = _softened(images)
    return images, np.asarray(gradient(images, channels)[0] > first)


def _softened(images: Floats) -> Floats:
    """By 1 2 1, both ways."""
    for axis in (1, 2):
        images = np.asarray((np.roll(images, 1, axis) + 2 * images + np.roll(images, -1, axis)) / 4, np.float32)
    return images
