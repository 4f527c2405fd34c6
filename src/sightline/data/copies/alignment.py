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

from sightline.data.copies.signature import NUM_CELLS, SIDE
from sightline.data.copies.spectrum import Floats, along_a_side, frequencies, projection

# Weighted by frequency, so that natural pictures have a flat spectrum: with an exponent of 0.5 a shading that two
# photographs of different things on one table have in common explained up to 0.94, with 1 up to 0.86.
NUM_FREQUENCIES, EXPONENT = 12, 1.0
# With more than this unexplained after the first step there is no second: of 6,000 planted copies none had as much.
HOPELESS = 0.3
MAX_CUT = 0.14  # of a side at one edge
ROWS, COLUMNS, WEIGHTS = frequencies(NUM_FREQUENCIES, EXPONENT)
IS_ODD = COLUMNS % 2 == 1
FREQUENCY2 = ((ROWS**2 + COLUMNS**2) / NUM_FREQUENCIES**2).astype(np.float32)
# Expected: 2 % of unexplained energy, edges off by 3 % of a side, sharpness off by 0.3. Contrast is free.
PENALTY = np.diag(np.float32(0.02) / np.array([1e9, 0.03, 0.03, 0.03, 0.03, 0.3], np.float32) ** 2)
TINY = np.float32(1e-3)
MIN_CONTRAST = np.float32(0.3)
WHOLE = projection(NUM_FREQUENCIES, EXPONENT, (0, 1, 0, 1))
LOWEST, HIGHEST = np.array([[0, 1 - MAX_CUT] * 2, [MAX_CUT, 1] * 2], np.float32)
BLOCK = 256  # pairs at a time: some 20 kB each


def explained(
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    boxes: Floats,
    box: NDArray[np.int32],
    is_mirrored: NDArray[np.bool_],
) -> Floats:
    """The share of the second's energy that the first explains, at most 1, (P,).

    first, second   signatures (P, SIGNATURE_BYTES)
    boxes           (B, 4): top, bottom, left and right of a part, shares of the sides
    box             (P,): the part of the first that the second is guessed to show
    is_mirrored     (P,): the second is mirrored
    """
    found = np.empty(len(first), np.float32)
    for start in range(0, len(first), BLOCK):
        block = slice(start, start + BLOCK)
        found[block] = 1 - _unexplained(first[block], second[block], boxes, box[block], is_mirrored[block])
    return found


def _unexplained(
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    boxes: Floats,
    box: NDArray[np.int32],
    is_mirrored: NDArray[np.bool_],
) -> Floats:
    """What is left, (P,)."""
    thumbnails = _thumbnails(first)
    wanted = _thumbnails(second).reshape(-1, NUM_CELLS) @ WHOLE  # (P, D)
    wanted *= np.where(is_mirrored[:, None] & IS_ODD, -1, 1)
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True) + TINY
    down, across = (_along(boxes[:, i], boxes[:, i + 1])[box] for i in (0, 2))
    moves, residual = _fit(thumbnails, wanted, down, across)
    hopeful = np.nonzero(residual < HOPELESS)[0]
    moved = np.clip(boxes[box[hopeful]] + moves[hopeful], LOWEST, HIGHEST)
    down, across = (_along(moved[:, i], moved[:, i + 1]) for i in (0, 2))
    residual[hopeful] = _fit(thumbnails[hopeful], wanted[hopeful], down, across)[1]
    return residual


def _fit(thumbnails: Floats, wanted: Floats, down: Floats, across: Floats) -> tuple[Floats, Floats]:
    """One step: how the edges should move, (P, 4), and the energy that is left unexplained, (P,)."""
    cut, *moves = _cut(thumbnails, down, across)
    basis = np.stack([cut, *moves, cut * FREQUENCY2], axis=1)  # (P, 6, D)
    basis /= np.linalg.norm(cut, axis=1)[:, None, None] + TINY
    normal = basis @ basis.transpose(0, 2, 1) + PENALTY
    share: Floats = np.linalg.solve(normal, basis @ wanted[:, :, None])[:, :, 0]  # (P, 6)
    residual: Floats = ((wanted - (share[:, None, :] @ basis)[:, 0]) ** 2).sum(axis=1)
    by: Floats = np.divide(share[:, 1:5], np.maximum(share[:, :1], MIN_CONTRAST), dtype=np.float32)
    return by, residual


def _thumbnails(signatures: NDArray[np.uint8]) -> Floats:
    """(P, SIGNATURE_BYTES) -> (P, SIDE, SIDE), mean grey 0."""
    return (signatures[:, :NUM_CELLS].astype(np.float32) - 128).reshape(-1, SIDE, SIDE)


def _along(start: Floats, end: Floats) -> Floats:
    """(P,) -> (P, 3K, SIDE): the cosines over [start, end], and their derivatives by start and by end."""
    return np.concatenate(along_a_side(NUM_FREQUENCIES, start, end), axis=1)


def _cut(thumbnails: Floats, down: Floats, across: Floats) -> list[Floats]:
    """Coefficients (P, D) of the boxes, and their derivatives by top, bottom, left and right."""
    rows: Floats = down @ thumbnails  # (P, 3K, SIDE)
    base: Floats = rows[:, :NUM_FREQUENCIES] @ across.transpose(0, 2, 1)  # (P, K, 3K)
    shifted: Floats = rows[:, NUM_FREQUENCIES:] @ across[:, :NUM_FREQUENCIES].transpose(0, 2, 1)  # (P, 2K, K)
    down2, across2 = NUM_FREQUENCIES + ROWS, NUM_FREQUENCIES + COLUMNS
    picked: list[Floats] = [base[:, ROWS, COLUMNS], shifted[:, ROWS, COLUMNS], shifted[:, down2, COLUMNS]]
    picked += [base[:, ROWS, across2], base[:, ROWS, across2 + NUM_FREQUENCIES]]
    for part in picked:
        part *= WEIGHTS
    return picked
