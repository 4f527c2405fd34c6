"""What a measure is given."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.data.warp import Floats
from sightline.explainers import Subject

CELLS = 16  # a side of the grid, or as many as there are pixels


@dataclass(frozen=True)
class Asked:
    """Pictures, their maps, and what made these.

    subject     the pictures (N, height, width, C), what is asked of them, and the network
    maps        (N, height, width)
    again       other pictures of the same shape -> what the method says of them, to the same questions
    randomised  the maps of the same pictures by a network whose upper half has forgotten what it learned; None where
                the network cannot be changed
    objects     (N, height, width) whether a pixel lies in a box of what is asked about; None where none are known
    seed        by which whatever is drawn is drawn
    """

    subject: Subject
    maps: Floats
    again: Callable[[Floats], Floats]
    randomised: Callable[[], Floats] | None
    objects: NDArray[np.bool_] | None = None
    seed: int = 0

    @property
    def cell_of(self) -> NDArray[np.intp]:
        """(height, width): the number of the cell that each pixel lies in, row after row."""
        return cells_of(*self.subject.frame)

    def by_cells(self, maps: Floats) -> NDArray[np.float64]:
        """(N, height, width) -> (N, cells): the mean over each."""
        cells = self.cell_of.ravel()
        sums = np.stack([np.bincount(cells, one.ravel()) for one in maps])
        return np.asarray(sums / np.bincount(cells))


def cells_of(height: int, width: int, num: int = CELLS) -> NDArray[np.intp]:
    """(height, width): the number of the cell that each pixel lies in, `num` a side, row after row."""
    rows, columns = (np.arange(side) * min(num, side) // side for side in (height, width))
    return np.asarray(rows[:, None] * (columns[-1] + 1) + columns, np.intp)
