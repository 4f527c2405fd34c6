"""How a picture looks, in a few numbers: brightness, contrast, edges, colour.

Comes in: preprocessed pictures; goes out: numbers by which one that is like no picture of training is found, whatever
the network makes of it. numpy alone.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.data.preprocess import Pixels

STEPS = (1, 2, 4)  # pixels between which edges are measured
DARK, BRIGHT = 0.02, 0.98  # of the range
LEAST = 1e-3  # what is too little to be told from nothing; by logarithms half is as far as double


def appearance(images: Pixels) -> NDArray[np.float32]:
    """(N, H, W, C), uint8 or float32 0..255 -> (N, F): logarithms of these shares of the range.

    The mean and standard deviation of each channel; the mean difference of pixels above, and beside, each other, at
    three distances; that of a channel and the next; the shares of dark and of bright pixels.
    """
    return np.stack([np.log(np.array(_numbers(image)) + LEAST) for image in images]).astype(np.float32)


def _numbers(image: Pixels) -> list[float]:
    values = image.astype(np.float32) / 255
    channels = [np.ascontiguousarray(values[:, :, c]) for c in range(values.shape[2])]
    grey = np.asarray(sum(channels[1:], channels[0]) / len(channels), np.float32)
    found = [float(c.mean()) for c in channels] + [float(c.std()) for c in channels]
    for step in STEPS:
        found += [_difference(grey[step:], grey[:-step]), _difference(grey[:, step:], grey[:, :-step])]
    found += [_difference(a, b) for a, b in pairwise(channels)]
    return [*found, float((grey < DARK).mean()), float((grey > BRIGHT).mean())]


def _difference(first: NDArray[np.floating[Any]], second: NDArray[np.floating[Any]]) -> float:
    """The mean of what they differ by; 0 of nothing, in a picture smaller than a step."""
    return float(np.abs(first - second).mean()) if first.size else 0.0
