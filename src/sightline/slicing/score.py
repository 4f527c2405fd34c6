"""What the answer to each picture counts, and figures of some of them. Comes in: an Evaluation; goes out: Scores.

Accuracy of one class; exact match of several; of numbers the absolute error. Must not know slices.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.evaluation.evaluate import Evaluation
from sightline.metrics._interval import of_mean, wilson


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
        """Of the pictures (n,) that are members: Wilson's interval, or by the groups."""
        groups = None if self.groups is None else self.groups[members]
        if self.is_rate:
            return share(self.bad[members] == 0, groups)
        bad = self.bad[members]
        interval = of_mean(bad, groups)
        return Figures(len(bad), float(bad.mean()), None if interval is None else (max(0.0, interval[0]), interval[1]))


def share(right: NDArray[np.bool_], groups: NDArray[np.intp] | None) -> Figures:
    """The share of (m,) that is true. By groups where there are several: pictures of one move together.

    Where all groups agree, their spread says nothing: then as if each group were one picture.
    """
    num, total = int(right.sum()), len(right)
    if groups is None:
        return Figures(total, num / total, wilson(num, total))
    num_groups = len(np.unique(groups))
    if num_groups < 2:
        return Figures(total, num / total, None)
    if num in (0, total):
        return Figures(total, num / total, wilson(num_groups if num else 0, num_groups))
    interval = of_mean(right.astype(np.float64), groups)
    assert interval is not None  # of several groups
    return Figures(total, num / total, (max(0.0, interval[0]), min(1.0, interval[1])))


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
