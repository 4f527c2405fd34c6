"""Thumbnails -> weighted low frequencies: the space in which pictures are compared. Comes in: thumbnails and the part
of each that counts; goes out: cosine coefficients. Must not know pairs, searches or torch.

The part of a thumbnail inside a box, stretched to the whole side, has the coefficients

    c[k, l] = |k, l|**0.5 x the integral of thumbnail x cos(pi k v) x cos(pi l u),    0 < |k, l| < num_frequencies,

v and u running from 0 to 1 down and across the box (DCT-II of an area-averaged picture). The weight flattens the
spectrum of natural pictures, whose amplitude falls as 1 / frequency, half-way: what the few lowest frequencies have
in common by chance counts less (of the exponents 0, 0.5, 0.75 and 1 the two in the middle found planted crops with
the fewest false candidates). Mirrored left to right, coefficients of odd l change their sign and the others do not.
"""

import numpy as np
from numpy.typing import NDArray

from sightline.data.copies.signature import SIDE

Floats = NDArray[np.float32]
EDGES = np.linspace(0, 1, SIDE + 1, dtype=np.float32)


def frequencies(num_frequencies: int, exponent: float) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """Rows k, columns l and weights (D,) of the coefficients that are kept; even l first, then odd l."""
    rows, columns = np.indices((num_frequencies, num_frequencies))
    radius = np.hypot(rows, columns)
    kept = (radius > 0) & (radius < num_frequencies)
    order = np.argsort(columns[kept] % 2, kind="stable")
    return rows[kept][order], columns[kept][order], (radius[kept][order] ** exponent).astype(np.float32)


def along_a_side(num_frequencies: int, start: Floats, end: Floats) -> tuple[Floats, Floats, Floats]:
    """Integrals of the cosines over the cells of a side, for parts [start, end] of it, (P,) -> (P, K, SIDE).

    And their derivatives by `start` and by `end`, likewise (P, K, SIDE).
    """
    k = np.arange(num_frequencies, dtype=np.float32)[:, None]
    start, end = start[:, None, None], end[:, None, None]
    length = end - start
    u = (np.clip(EDGES, start, end) - start) / length  # (P, 1, SIDE + 1)
    inside = (start < EDGES) & (end > EDGES)
    phase = np.float32(np.pi) * k * u
    integral = np.where(k == 0, u, np.sin(phase) / np.maximum(np.pi * k, 1).astype(np.float32) * ROOT2)
    slope = np.where(k == 0, 1, np.cos(phase) * ROOT2) * inside / length
    return np.diff(integral), np.diff(slope * (u - 1)), np.diff(slope * -u)


ROOT2 = np.float32(np.sqrt(2))


def projection(num_frequencies: int, exponent: float, box: tuple[float, float, float, float]) -> Floats:
    """(SIDE * SIDE, D): thumbnails (N, SIDE * SIDE) @ this are the coefficients of `box` = top, bottom, left, right."""
    rows, columns, weights = frequencies(num_frequencies, exponent)
    bounds = np.array(box, np.float32)[:, None]
    down, across = (along_a_side(num_frequencies, *bounds[i : i + 2])[0][0] for i in (0, 2))
    waves: Floats = down[rows][:, :, None] * across[columns][:, None, :] * weights[:, None, None]  # (D, SIDE, SIDE)
    return waves.reshape(len(rows), -1).T.copy()
