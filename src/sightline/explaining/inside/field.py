"""How much of the picture a unit sees. Comes in: gradients of units in the middle of a stage; goes out: sides in
pixels.

`seen`: the square around all pixels that can change the unit at all; `counts`: the one around its middle that holds
nine tenths of what does, which is much smaller (Luo et al., 2016, Understanding the effective receptive field).
"""

from dataclasses import dataclass

import numpy as np

from sightline.data.warp import Floats

MOST_OF_IT = 0.9


@dataclass(frozen=True)
class Field:
    """Height and width, in pixels of the frame."""

    seen: tuple[int, int]
    counts: tuple[int, int]


def of_units(gradients: Floats) -> Field:
    """(n, height, width, C) of the same place in a stage, over several pictures and channels."""
    strength = np.abs(gradients).sum(axis=(0, 3), dtype=np.float64)
    seen, counts = list[int](), list[int]()
    for axis in (0, 1):
        along = strength.sum(axis=1 - axis)
        places = np.flatnonzero(along)
        seen.append(0 if not len(places) else int(places[-1] - places[0] + 1))
        share = along.cumsum() / max(along.sum(), 1e-300)
        low, high = (int(np.searchsorted(share, level)) for level in ((1 - MOST_OF_IT) / 2, (1 + MOST_OF_IT) / 2))
        counts.append(0 if not len(places) else min(high, len(along) - 1) - low + 1)
    return Field((seen[0], seen[1]), (counts[0], counts[1]))
