"""Pictures -> perceptual signatures: what two copies of one picture have nearly in common. Comes in: decoded pictures
of any sizes; goes out: uint8 (N, SIGNATURE_BYTES).

A signature is the picture squashed to 20x20 grey values by averaging areas, its brightness and contrast taken out,
followed by the mean colour and the contrast that were taken out:

    bytes 0-399    128 + 127 x (grey - mean) / largest deviation, row by row; 128 throughout if the picture is blank
    bytes 400-402  mean red, green, blue
    byte 403       standard deviation of the 20x20 grey values in quarters of a level, 255 at most; 0 if blank
    bytes 404-407  zeros, so that rows are whole 8-byte words

All sums are of whole numbers small enough to be exact in floating point, so that a picture's signature does not
depend on the pictures beside it, on the number of threads, or on the processor. Must not know files, rows or torch.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sightline.data.preprocess import Pixels
from sightline.data.reading.luma import luma
from sightline.data.resize import average

# With 16 a planted crop of a photograph was explained to 0.90 and more (98 in 100), with 20 to 0.95, with 24 to 0.97.
SIDE = 20
NUM_CELLS = SIDE * SIDE
COLOUR = slice(NUM_CELLS, NUM_CELLS + 3)
CONTRAST = NUM_CELLS + 3
SIGNATURE_BYTES = NUM_CELLS + 8
# Below this standard deviation, in grey levels, the rounding of the pixels and JPEG's noise are what is seen.
BLANK_STD = 1.0
# Larger pictures are averaged down to this side first, by `resize`. 255 x 64 x 64 < 2**24: exact in float32.
MAX_SIDE = 64
BLOCK = 128  # pictures at a time; with arrays of megabytes the time goes into fresh pages, 21 us a picture instead of 5
KEYED = 4096  # signatures keyed at a time


def signatures(images: Sequence[Pixels]) -> NDArray[np.uint8]:
    """Signatures uint8 (N, SIGNATURE_BYTES) of pictures uint8 (H, W, 1 or 3) of any sizes; N may be 0."""
    found = np.zeros((len(images), SIGNATURE_BYTES), np.uint8)
    by_shape: dict[tuple[int, ...], list[int]] = {}
    small = [at_most(image, MAX_SIDE) for image in images]
    for row, image in enumerate(small):
        by_shape.setdefault(image.shape, []).append(row)
    for rows in by_shape.values():
        for start in range(0, len(rows), BLOCK):
            block = rows[start : start + BLOCK]
            stacked = np.stack([small[row] for row in block])
            found[block] = signatures_of(stacked, luma(stacked))
    return found


def signatures_of(images: Pixels, grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Those of pictures of one shape, uint8 (N, H, W, C), sides at most MAX_SIDE; `grey`: their `luma`, (N, H, W)."""
    num, height, width, _ = images.shape
    level = height * width  # what one grey level is in the sums below
    colour = images.sum(axis=1, dtype=np.uint32).sum(axis=1)  # (N, C); rows first, where neighbours lie together
    across = grey.reshape(-1, width).astype(np.float32) @ _area_weights(width).T  # (N * H, SIDE)
    cells = _area_weights(height) @ across.reshape(num, height, SIDE)  # (N, SIDE, SIDE)
    sums = cells.reshape(num, NUM_CELLS).astype(np.float64)
    deviation = sums * NUM_CELLS - sums.sum(axis=1, keepdims=True)
    largest = np.abs(deviation).max(axis=1, keepdims=True)
    normalised = np.rint(deviation * (127 / np.maximum(largest, 1)))  # -127..127
    # The standard deviation from whole numbers again: the normalised ones.
    squares = np.einsum("nc,nc->n", normalised, normalised)
    std = np.sqrt(squares / NUM_CELLS) * (largest[:, 0] / (127 * NUM_CELLS * level))
    is_blank = std < BLANK_STD
    found = np.zeros((num, SIGNATURE_BYTES), np.uint8)
    found[:, :NUM_CELLS] = 128 + normalised
    found[is_blank, :NUM_CELLS] = 128
    found[:, COLOUR] = np.rint(colour / level)
    found[:, CONTRAST] = np.where(is_blank, 0, np.minimum(np.rint(4 * std), 255))
    return found


def first_alike(signatures: NDArray[np.uint8]) -> NDArray[np.intp]:
    """For each of N signatures the first row that has the very same, or the row itself, (N,)."""
    num = len(signatures)
    words = np.ascontiguousarray(signatures).view(np.uint64)  # (N, SIGNATURE_BYTES / 8)
    factors = np.random.default_rng(0).integers(0, 2**63, words.shape[1], np.uint64) * np.uint64(2) + np.uint64(1)
    keys = np.empty(num, np.uint64)
    for start in range(0, num, KEYED):  # sums modulo 2**64
        keys[start : start + KEYED] = (words[start : start + KEYED] * factors).sum(axis=1)
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    owner = first[inverse] if num else np.zeros(0, np.intp)
    others = np.flatnonzero(owner != np.arange(num))
    is_other = (words[others] != words[owner[others]]).any(axis=1)  # the same key by chance: a row of its own
    owner[others[is_other]] = others[is_other]
    return owner


def is_blank(signatures: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which signatures (N, SIGNATURE_BYTES) are of pictures without any contrast, (N,)."""
    blank: NDArray[np.bool_] = signatures[:, CONTRAST] == 0
    return blank


def at_most(image: Pixels, side: int) -> Pixels:
    """uint8 (H, W, C) -> (min(H, side), min(W, side), C), areas averaged."""
    height, width = image.shape[:2]
    return image if max(height, width) <= side else average(image, min(height, side), min(width, side))


@lru_cache(maxsize=256)
def _area_weights(side: int) -> NDArray[np.float32]:
    """(SIDE, side): how much of each pixel lies in each cell, whole numbers that sum to `side` over a cell."""
    pixel = np.arange(side) * SIDE
    cell = np.arange(SIDE)[:, None] * side
    overlap = np.minimum(cell + side, pixel + SIDE) - np.maximum(cell, pixel)
    weights: NDArray[np.float32] = np.maximum(overlap, 0).astype(np.float32)
    return weights
