"""Changes to pixels, each too small to be seen, that are made to deceive a network. Comes in: pictures, their labels
and a network's gradients; goes out: pictures of which no value differs by more than `eps`.

Own code, of a few lines each: Captum's FGSM and PGD would do, but for starts from torch's global generator and for
matplotlib, which they bring along; the log has how the two agree. Sources: Goodfellow et al., 2015 (FGSM); Madry et
al., 2018 (PGD); Croce and Hein, 2020 (the second loss). Must not know torch, or how answers are decided.
"""

import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sightline.data.warp import Floats

EPSILONS = (1, 2, 4, 8)  # of 255
NUM_STEPS = 10
STEP = 2.5  # of eps, over all steps, so that a start at one edge reaches the other (Madry et al.)

# pictures (n, H, W, C) float32 0..255, labels (n,) -> the gradient of each picture's loss by its pixels
Gradient = Callable[[Floats, NDArray[np.int64]], Floats]


def fgsm(images: Floats, labels: NDArray[np.int64], eps: float, gradient: Gradient) -> Floats:
    """One step of `eps` along the gradient's sign."""
    return _within(_stepped(images, gradient(images, labels), eps), images, eps)


def pgd(images: Floats, labels: NDArray[np.int64], eps: float, gradient: Gradient, starts: Floats) -> Floats:
    """NUM_STEPS steps from `starts` (-1..1 of the pictures' shape, in units of `eps`), each along the gradient's sign.

    It goes on where the network is deceived already: a run that averages over views may not be yet.
    """
    points = _within(images + np.float32(eps) * starts, images, eps)
    for _ in range(NUM_STEPS):
        points = _within(_stepped(points, gradient(points, labels), STEP * eps / NUM_STEPS), images, eps)
    return points


def starts_for(shape: tuple[int, ...], rows: NDArray[np.intp], name: str, seed: int) -> Floats:
    """Uniform in -1..1, (n, H, W, C): for the picture of each row, by (seed, row, name) alone."""
    key = zlib.crc32(name.encode())
    drawn = [np.random.default_rng([seed, int(row), key]).random(shape, np.float32) for row in rows]
    return 2 * np.stack(drawn) - 1


def _stepped(points: Floats, slope: Floats, step: float) -> Floats:
    return np.asarray(points + np.float32(step) * np.sign(slope), np.float32)


def _within(points: Floats, images: Floats, eps: float) -> Floats:
    """No value further than `eps` from the picture's, and all of them 0..255."""
    return points.clip(images - np.float32(eps), images + np.float32(eps)).clip(0, 255)
