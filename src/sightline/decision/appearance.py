"""How a picture looks, in a few numbers: brightness, contrast, edges, colour.

Comes in: preprocessed pictures; goes out: numbers by which one that is like no picture of training is found, whatever
the network makes of it. numpy alone.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sightline.data.preprocess import Pixels
from sightline.decision.answers import Floats

STEPS = (1, 2, 4)  # pixels between which edges are measured
DARK, BRIGHT = 0.02, 0.98  # of the range
AT_ONCE = 50_000  # numbers; small pictures are cheaper together, large ones by themselves
LEAST = 1e-3  # what is too little to be told from nothing; by logarithms half is as far as double


def appearance(images: Pixels) -> Floats:
    """(N, H, W, C), uint8 or float32 0..255 -> (N, F): logarithms of these shares of the range.

    The mean and standard deviation of each channel; the mean difference of pixels above, and beside, each other, at
    three distances; that of a channel and the next; the shares of dark and of bright pixels. A picture's are the same
    bits whatever stands beside it.
    """
    size = max(1, AT_ONCE // max(1, images[0].size)) if len(images) else 1
    parts = [_numbers(images[i : i + size]) for i in range(0, len(images), size)]
    return np.log(np.concatenate(parts) + LEAST) if parts else np.zeros((0, 0), np.float32)


def _numbers(images: Pixels) -> Floats:
    values = images.astype(np.float32) / 255
    channels = [np.ascontiguousarray(values[..., c]) for c in range(values.shape[3])]  # (n, H, W) each
    grey = np.asarray(sum(channels[1:], channels[0]) / len(channels), np.float32)
    found = [_mean(channel) for channel in channels]
    found += [np.sqrt(_mean((c - mean[:, None, None]) ** 2)) for c, mean in zip(channels, found, strict=True)]
    for step in STEPS:
        found.append(_mean(np.abs(grey[:, step:] - grey[:, :-step])))
        found.append(_mean(np.abs(grey[:, :, step:] - grey[:, :, :-step])))
    found += [_mean(np.abs(a - b)) for a, b in pairwise(channels)]
    return np.stack([*found, _mean(grey < DARK), _mean(grey > BRIGHT)], axis=1)


def _mean(values: NDArray[np.generic]) -> Floats:
    """(n, h, w) -> (n,); 0 of nothing, in a picture smaller than a step."""
    flat = np.ascontiguousarray(values, np.float32).reshape(len(values), -1)
    return np.asarray(flat.sum(axis=1) / max(1, flat.shape[1]), np.float32)
