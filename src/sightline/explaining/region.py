"""The smallest part of a picture whose blanking changes the answer, as far as it is found. Comes in: a picture, a map
of it, and what answers; goes out: a Region.

Cells of a grid are blanked out in the order of the map until the answer changes; then those are shown again without
which it stays changed. What is found is enough, and none of its blocks can be spared; a smaller one may exist
elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.data.warp import Floats
from sightline.explaining.faithfulness._asked import cells_of

NUM_BLOCKS = 16  # of the cells, that are tried to be spared


@dataclass(frozen=True)
class Region:
    """mask: (height, width), true where blanking changes the answer to `becomes`."""

    mask: NDArray[np.bool_]
    becomes: int

    @property
    def share(self) -> float:
        """Of the frame."""
        return float(self.mask.mean())


def smallest(picture: Floats, values: Floats, blank: Floats, answers: Callable[[Floats], Floats]) -> Region | None:
    """Of a picture (height, width, C) with its map (height, width); None where not even a blank picture is answered
    otherwise.
    """
    cells = cells_of(picture.shape[0], picture.shape[1])
    order = np.argsort(-np.bincount(cells.ravel(), values.ravel()) / np.bincount(cells.ravel()), kind="stable")

    def answered(chosen: list[NDArray[np.intp]]) -> NDArray[np.intp]:
        """With each of these sets of cells blanked out."""
        masks = np.stack([np.isin(cells, one) for one in chosen])
        return np.asarray(answers(np.where(masks[..., None], blank, picture)).argmax(axis=1))

    (own,) = answered([order[:0]])
    begin, end = 0, len(order)  # the answer stays with so many cells; it is another with so many
    while end - begin > 1:
        steps = np.unique(np.linspace(begin, end, 18).round().astype(np.intp))[1:]
        changed = answered([order[:num] for num in steps.tolist()]) != own
        if not changed.any():
            return None
        first = int(changed.argmax())
        begin, end = begin if first == 0 else int(steps[first - 1]), int(steps[first])
    kept = _spared(order[:end], lambda chosen: answered(chosen) != own)
    return Region(np.isin(cells, kept), int(answered([kept])[0]))


def _spared(
    chosen: NDArray[np.intp], changes: Callable[[list[NDArray[np.intp]]], NDArray[np.bool_]]
) -> NDArray[np.intp]:
    """Without the blocks that the answer stays changed without; those of the least important cells go first."""
    blocks = np.array_split(chosen, min(NUM_BLOCKS, len(chosen)))
    while len(blocks) > 1:
        without = [np.concatenate(blocks[:i] + blocks[i + 1 :]) for i in range(len(blocks))]
        spare = np.flatnonzero(changes(without))
        if not len(spare):
            break
        del blocks[int(spare[-1])]
    return np.concatenate(blocks)
