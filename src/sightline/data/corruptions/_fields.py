"""What corruptions share: convolution, kernels, clouds. Comes in: arrays; goes out: arrays of float32.

Beyond its edges a picture goes on mirrored, so that no dark frame gives a corruption away.
"""

from functools import cache
from math import ceil, cos, radians, sin

import numpy as np
from numpy.typing import NDArray

from sightline.data.warp import Floats, mirrored, stretched

NEGLIGIBLE = 3.0  # standard deviations beyond which a Gaussian is cut


def convolved(image: Floats, kernel: Floats) -> Floats:
    """(H, W, C) by a kernel of odd sides (h, w), by Fourier transforms: a long kernel costs what a short one does."""
    height, width = image.shape[:2]
    y, x = (side // 2 for side in kernel.shape)
    rows, columns = mirrored(np.arange(-y, height + y), height), mirrored(np.arange(-x, width + x), width)
    around = image.transpose(2, 0, 1)[:, rows[:, None], columns]  # (C, H + 2y, W + 2x)
    size = _fast(around.shape[1]), _fast(around.shape[2])
    spectrum = np.fft.rfft2(around, size) * np.fft.rfft2(kernel.astype(np.float32), size)
    found = np.fft.irfft2(spectrum, size)[:, 2 * y : 2 * y + height, 2 * x : 2 * x + width]
    return np.ascontiguousarray(found.transpose(1, 2, 0), np.float32)


@cache
def _fast(num: int) -> int:
    """The least number from `num` on whose prime factors are 2, 3 and 5, for which transforms are quick."""
    rest = num
    for factor in (2, 3, 5):
        while rest % factor == 0:
            rest //= factor
    return num if rest == 1 else _fast(num + 1)


def blurred(image: Floats, sigma: float) -> Floats:
    """By a Gaussian of `sigma` pixels."""
    weights = _gaussian(sigma)
    return image if len(weights) == 1 else convolved(image, np.outer(weights, weights).astype(np.float32))


def _gaussian(sigma: float) -> NDArray[np.float64]:
    """Weights that sum to 1; a single one where the neighbours' would be less than a grey level's worth."""
    radius = ceil(NEGLIGIBLE * sigma)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / max(sigma, 1e-6)) ** 2)
    return np.ones(1) if weights[radius - 1 if radius else 0] < 1e-4 else weights / weights.sum()


def disc(radius: float) -> Floats:
    """The kernel of a lens out of focus: the share of each pixel that a disc of `radius` pixels covers."""
    reach = ceil(radius + 0.5)
    num, parts = 2 * reach + 1, 8
    along = (np.arange(num * parts) + 0.5) / parts - num / 2
    inside = along[:, None] ** 2 + along**2 <= radius**2
    shares = inside.reshape(num, parts, num, parts).mean(axis=(1, 3), dtype=np.float32)
    return np.asarray(shares / shares.sum())


def streak(length: float, sigma: float, degrees: float) -> Floats:
    """The kernel of a motion: a line from the middle, at an angle to the right, fading as half a Gaussian."""
    steps = np.arange(0, 2 * max(length, 0.5), 0.5)  # half pixels, so that slanted lines have no gaps
    weights = np.exp(-0.5 * (steps / sigma) ** 2)
    y, x = steps * sin(radians(degrees)), steps * cos(radians(degrees))
    reach = int(np.ceil(max(abs(y).max(), abs(x).max()))) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    top, left = np.floor(y).astype(np.intp), np.floor(x).astype(np.intp)
    down, right = y - top, x - left
    for by, bx in ((0, 0), (0, 1), (1, 0), (1, 1)):  # each point is shared by its four pixels
        share = (down if by else 1 - down) * (right if bx else 1 - right)
        np.add.at(kernel, (top + by + reach, left + bx + reach), weights * share)
    return np.asarray(kernel / kernel.sum(), np.float32)


def clouds(height: int, width: int, decay: float, random: np.random.Generator) -> Floats:
    """(height, width, 1), from 0 to 1: random grids from 2 x 2 to one value a pixel, each `decay` times fainter.

    What the diamond-square fractal of the original is like, without its square seams.
    """
    total, weight, num = np.zeros((height, width, 1), np.float32), 1.0, 2
    while num < 2 * max(height, width):
        grid = random.random((min(num, height), min(num, width), 1), np.float32)
        total += np.float32(weight) * stretched(grid, height, width)
        weight, num = weight / decay, 2 * num
    low, high = total.min(), total.max()
    return np.asarray((total - low) / max(high - low, np.float32(1e-6)))
