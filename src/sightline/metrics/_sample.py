"""What metrics measure, and the figures that they give."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sightline.data.tasks import Labels
from sightline.metrics._asked import Asked


@dataclass(frozen=True)
class Sample:
    """Answers to labelled pictures.

    outputs  float64 (N, K): probabilities; for numbers the values
    labels   as `data.tasks` has them
    decided  what was answered: int (N,) a class; uint8 (N, K) yes or no; float64 (N, K) the values
    groups   (N,) whole numbers, equal where pictures belong together; None: each stands for itself
    asked    what is asked besides
    """

    outputs: NDArray[np.float64]
    labels: Labels
    decided: NDArray[np.int64] | NDArray[np.uint8] | NDArray[np.float64]
    groups: NDArray[np.intp] | None = None
    asked: Asked = field(default_factory=Asked)

    def groups_of(self, members: NDArray[np.bool_] | NDArray[np.intp]) -> NDArray[np.intp] | None:
        """Of some of the pictures (N,)."""
        return None if self.groups is None else self.groups[members]


@dataclass(frozen=True)
class Figure:
    """A figure and its 95 % interval; None where it is undefined."""

    value: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Rate(Figure):
    """A share of pictures, which is always defined."""

    value: float
    interval: tuple[float, float]
