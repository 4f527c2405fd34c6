"""Are two pictures one? Comes in: pairs of signatures with a first guess of how one was cut out of the other; goes
out: how much of the second is explained by the first. Must not know how pairs were found, data sets or torch.

The first thumbnail, cut to a box, times a contrast and with a little more or less sharpness, is to equal the second:

    second ~ contrast x cut(first, box) + sharpness x cut(first, box) x frequency**2

The box is found by two steps of Gauss and Newton on its four edges, with a penalty on moving far: the tangent distance
of Simard, LeCun and Denker ("Efficient pattern recognition using a new transformation distance", 1993) for crops,
iterated as in Lucas and Kanade (1981). The first step starts at most 3.5 % of a side off, where it is nearly linear.
"""

import numpy as np
from numpy.typing import NDArray

from sightline.data.signature import NUM_CELLS, SIDE
from sightline.data.spectrum import Floats, along_a_side, frequencies

NUM_FREQUENCIES = 12
NUM_STEPS = 2
MAX_CUT = 0.14  # of a side at one edge
ROWS, COLUMNS, WEIGHTS = frequencies(NUM_FREQUENCIES)
IS_ODD = COLUMNS % 2 == 1
FREQUENCY2 = ((ROWS**2 + COLUMNS**2) / NUM_FREQUENCIES**2).astype(np.float32)
# Expected: 2 % of unexplained energy, edges off by 3 % of a side, sharpness off by 0.3. Contrast is free.
PENALTY = np.diag(np.float32(0.02) / np.array([1e9, 0.03, 0.03, 0.03, 0.03, 0.3], np.float32) ** 2)


def explained(
    first: NDArray[np.uint8], second: NDArray[np.uint8], boxes: Floats, is_mirrored: NDArray[np.bool_]
) -> Floats:
    """The share of the second's energy that the first explains, at most 1, (P,).

    first, second   signatures (P, SIGNATURE_BYTES)
    boxes           (P, 4): top, bottom, left and right of the second in the first, shares of its sides: the guess
    is_mirrored     (P,): the second is mirrored
    """
    if not len(first):
        return np.zeros(0, np.float32)
    thumbnails = _thumbnails(first)
    wanted = _cut(_thumbnails(second), np.tile(WHOLE, (len(second), 1)))[0]  # (P, D)
    wanted *= np.where(is_mirrored[:, None] & IS_ODD, -1, 1)
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True) + TINY
    residual = np.ones(len(first), np.float32)
    for _ in range(NUM_STEPS):
        cut, *moves = _cut(thumbnails, boxes)
        basis = np.stack([cut, *moves, cut * FREQUENCY2], axis=1)  # (P, 6, D)
        basis /= np.linalg.norm(cut, axis=1)[:, None, None] + TINY
        normal = basis @ basis.transpose(0, 2, 1) + PENALTY
        share = np.linalg.solve(normal, basis @ wanted[:, :, None])[:, :, 0]  # (P, 6)
        residual = ((wanted - (share[:, None, :] @ basis)[:, 0]) ** 2).sum(axis=1)
        moved = boxes + share[:, 1:5] / np.maximum(share[:, :1], MIN_CONTRAST)
        boxes = np.clip(moved, LOWEST, HIGHEST)
    return 1 - residual


TINY = np.float32(1e-3)
MIN_CONTRAST = np.float32(0.3)
WHOLE = np.array([0, 1, 0, 1], np.float32)
LOWEST, HIGHEST = np.array([[0, 1 - MAX_CUT] * 2, [MAX_CUT, 1] * 2], np.float32)


def _thumbnails(signatures: NDArray[np.uint8]) -> Floats:
    """(P, SIGNATURE_BYTES) -> (P, SIDE, SIDE), mean grey 0."""
    return (signatures[:, :NUM_CELLS].astype(np.float32) - 128).reshape(-1, SIDE, SIDE)


def _cut(thumbnails: Floats, boxes: Floats) -> list[Floats]:
    """Coefficients (P, D) of the boxes, and their derivatives by top, bottom, left and right."""
    down = np.concatenate(along_a_side(NUM_FREQUENCIES, boxes[:, 0], boxes[:, 1]), axis=1)  # (P, 3K, SIDE)
    across = np.concatenate(along_a_side(NUM_FREQUENCIES, boxes[:, 2], boxes[:, 3]), axis=1)
    rows = down @ thumbnails  # (P, 3K, SIDE)
    base = rows[:, :NUM_FREQUENCIES] @ across.transpose(0, 2, 1)  # (P, K, 3K)
    shifted = rows[:, NUM_FREQUENCIES:] @ across[:, :NUM_FREQUENCIES].transpose(0, 2, 1)  # (P, 2K, K)
    down2, across2 = NUM_FREQUENCIES + ROWS, NUM_FREQUENCIES + COLUMNS
    picked: list[Floats] = [base[:, ROWS, COLUMNS], shifted[:, ROWS, COLUMNS], shifted[:, down2, COLUMNS]]
    picked += [base[:, ROWS, across2], base[:, ROWS, across2 + NUM_FREQUENCIES]]
    for part in picked:
        part *= WEIGHTS
    return picked
