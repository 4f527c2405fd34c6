"""Decoded pictures -> how light, how flat, how sharp each is. Comes in: uint8 (H, W, C); goes out: one MEASURES a row.

Pictures of one size are measured together, which for small ones costs a tenth of decoding them. Must not know
files, labels or what is too dark or too blurred: that is `checks`' business.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.data.reading.luma import luma

MEASURES = np.dtype(
    [
        ("mean", "<f4"),  # of the grey levels, 0 to 255 (ITU-R 601 luma)
        ("std", "<f4"),
        ("low", "u1"),  # the level that 1 % of the pixels lie at or below
        ("high", "u1"),  # the level that 99 % of them lie at or below
        ("blur", "<f4"),  # pixels: as if sharp edges had been blurred by a Gaussian of this sigma; 0: no edge at all
    ]
)
# Larger pictures are halved, thirded, ... down to this short side: what a network sees is what is measured.
MEASURED_SIDE = 256
# Of pictures of more rows, this many bands of three rows are looked at: 1.1 ms a photograph become 0.2.
NUM_BANDS = 32
LARGE = 4096  # pixels; from here on Pillow's histograms, one at a time, take less time than numpy's of all at once
NOISE = 1.0  # grey levels; differences of neighbours below this are rounding, and no edge


def measure(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.void]:
    """MEASURES (n,) of n pictures uint8 (H, W, 1) or (H, W, 3), of any sizes."""
    alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for i, image in enumerate(images):
        alike[image.shape].append(i)
    measures = np.zeros(len(images), MEASURES)
    for members in alike.values():
        measures[members] = measures_of(luma(np.stack([_rows(_reduced(images[i])) for i in members])))
    return measures


def measures_of(grey: NDArray[np.uint8]) -> NDArray[np.void]:
    """MEASURES (n,) of the `luma` (n, H, W) of pictures of one shape, each whole or in bands."""
    measures = np.zeros(len(grey), MEASURES)
    _fill_levels(measures, grey)
    measures["blur"] = _blur(grey)
    return measures


def _reduced(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, C) -> (h, w, C), the short side below 2 * MEASURED_SIDE."""
    factor = min(image.shape[:2]) // MEASURED_SIDE
    if factor < 2:
        return image
    picture = Image.fromarray(image if image.shape[2] == 3 else image[:, :, 0])
    reduced = np.asarray(picture.reduce(factor))
    return reduced.reshape(*reduced.shape[:2], image.shape[2])


def _rows(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, C) -> itself, or the rows of NUM_BANDS evenly spaced bands, (3 * NUM_BANDS, W, C)."""
    if len(image) <= 3 * NUM_BANDS:
        return image
    rows: NDArray[np.uint8] = image[_banded(len(image))]
    return rows


@lru_cache(maxsize=256)
def _banded(height: int) -> NDArray[np.intp]:
    """The rows of the bands, (3 * NUM_BANDS,)."""
    middles = np.linspace(1, height - 2, NUM_BANDS).astype(np.intp)
    return (middles[:, None] + (-1, 0, 1)).ravel()


def _fill_levels(measures: NDArray[np.void], grey: NDArray[np.uint8]) -> None:
    """uint8 (n, h, w) -> the fields mean, std, low and high."""
    n, num_pixels = len(grey), grey[0].size
    if num_pixels > LARGE:
        counts = np.array([Image.fromarray(image).histogram() for image in grey])  # (n, 256)
    else:
        levels = grey.reshape(n, -1) + 256 * np.arange(n)[:, None]
        counts = np.bincount(levels.ravel(), minlength=256 * n).reshape(n, 256)
    measures["mean"] = mean = counts @ np.arange(256) / num_pixels
    measures["std"] = np.sqrt(np.maximum(counts @ np.arange(256) ** 2 / num_pixels - mean**2, 0))
    below = counts.cumsum(axis=1)  # (n, 256)
    measures["low"] = (below >= 0.01 * num_pixels).argmax(axis=1)
    measures["high"] = (below >= 0.99 * num_pixels).argmax(axis=1)


def _blur(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """uint8 (n, h, w) -> (n,) pixels.

    A step blurred by a Gaussian of sigma s has slopes of energy E1 and curvatures of energy E2 = E1 / (2 s^2), so
    s = sqrt(E1 / E2 / 2): contrast and the number of edges cancel.
    """
    n, height, width = grey.shape
    slopes, curvatures, signed = np.zeros(n), np.zeros(n), grey.astype(np.float32)
    if height == 3 * NUM_BANDS:
        bands = signed.reshape(n, NUM_BANDS, 3, width)
        above, middle, below = bands[:, :, 0], bands[:, :, 1], bands[:, :, 2]
    else:
        above, middle, below = signed[:, :-2], signed[:, 1:-1], signed[:, 2:]
    if height >= 3:
        first = middle - above
        slopes += _energy(first)
        curvatures += _energy(below - middle - first)
    else:
        middle = signed
    if width >= 3:
        across = middle[..., 1:] - middle[..., :-1]
        slopes += _energy(across[..., 1:])
        curvatures += _energy(across[..., 1:] - across[..., :-1])
    edges = slopes > NOISE * middle[0].size
    sigma: NDArray[np.float64] = np.sqrt(slopes / np.maximum(curvatures, 1) / 2)
    sigma[~edges] = 0.0
    return sigma


def _energy(differences: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, h, w) -> the sum of squares of each, (n,)."""
    return np.asarray(np.einsum("nhw,nhw->n", differences, differences), np.float64)
