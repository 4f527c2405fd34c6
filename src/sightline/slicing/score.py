"""What the answer to each picture counts, and figures of some of them. Comes in: an Evaluation; goes out: Scores.

Accuracy of one class; exact match of several; of numbers the absolute error. Must not know slices.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.evaluation.evaluate import Evaluation
from sightline.metrics import rate
from sightline.metrics._interval import of_mean


@dataclass(frozen=True)
class Figures:
    """A mean over `count` pictures and its 95 % interval; None where they all belong to one group."""

    count: int
    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Scores:
    """`bad` (n,): 1 for a wrong answer and 0 for a right one; of numbers the absolute error.

    name    of the figure that users see: `accuracy`, `exact match`, which is 1 - the mean; `error`, which is the mean
    groups  (n,) whole numbers, equal where pictures belong together, or None
    """

    name: str
    bad: NDArray[np.float64]
    is_rate: bool
    groups: NDArray[np.intp] | None = None

    def __len__(self) -> int:
        return len(self.bad)

    def value(self, bad: float) -> float:
        """A mean of `bad` as users see it."""
        return 1 - bad if self.is_rate else bad

    def of(self, members: NDArray[np.bool_]) -> "Scores":
        """Of some of the pictures (n,)."""
        groups = None if self.groups is None else self.groups[members]
        return Scores(self.name, self.bad[members], self.is_rate, groups)

    def figures(self, members: NDArray[np.bool_]) -> Figures:
        """Of the pictures (n,) that are members."""
        some = self.of(members)
        if some.is_rate:
            share, is_one = rate(some.bad == 0, some.groups), some.groups is not None and np.ptp(some.groups) == 0
            return Figures(len(some), share.value, None if is_one else share.interval)
        return Figures(len(some), float(some.bad.mean()), of_mean(some.bad, some.groups, least=0.0))


def scores_of(tested: Evaluation) -> Scores:
    """Of several numbers a picture the errors are in mean absolute deviations of each, and their mean is taken."""
    if tested.task == "single":
        return Scores("accuracy", (tested.decided != tested.labels).astype(np.float64), True, tested.groups)
    if tested.task == "multi":
        wrong = (tested.decided != tested.labels).any(axis=1)
        return Scores("exact match", wrong.astype(np.float64), True, tested.groups)
    labels = tested.labels.astype(np.float64)  # (n, T)
    errors = np.abs(tested.decided - labels)
    if labels.shape[1] > 1:
        errors = errors / np.maximum(np.abs(labels - labels.mean(axis=0)).mean(axis=0), 1e-12)
    return Scores("error", errors.mean(axis=1), False, tested.groups)
