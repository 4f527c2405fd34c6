"""Figures that a confusion matrix says all of, with intervals in closed form.

Comes in: how often each class was answered as each; goes out: a Figure. What one more picture in a cell does to the
figure gives its variance (the delta method); by that, as many pictures as a plain rate of this height would need for
it, and of so many Wilson's interval. Drawing pictures anew knows of no mistakes but those seen: at 99 % right a third
of such intervals lay above the truth (docs/experiments.md). So one picture is added to each class, mistaken as often as
all are; and where the figure is a mean over the classes, its interval is no narrower than those of the classes, each by
its own count, squared and added (Zou and Donner, 2008): one class of few pictures may make all of the variance.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from sightline.metrics import confusion
from sightline.metrics._interval import wilson, worth
from sightline.metrics._sample import Figure, Sample

Matrix = NDArray[np.float64]  # (K, K), rows the truth
Each = Callable[["Counts", float], tuple[float, float]]
Slope = Callable[
    ["Counts"], tuple[float, Matrix]
]  # the figure, and how it moves (K, K) with one more picture in a cell


@dataclass(frozen=True)
class Counts:
    """Of a matrix of classes that are all there."""

    matrix: Matrix

    @property
    def hits(self) -> Matrix:
        return self.matrix.diagonal()

    @property
    def carried(self) -> Matrix:
        return np.asarray(self.matrix.sum(axis=1))

    @property
    def answered(self) -> Matrix:
        return np.asarray(self.matrix.sum(axis=0))

    @property
    def num(self) -> float:
        return float(self.matrix.sum())


def figure(sample: Sample, slope: Slope, lowest: float = 0.0, each: Each | None = None) -> Figure:
    """The figure, from `lowest` to 1. Classes that are neither carried nor answered are left out.

    `each`: of a mean over the classes, the ends of each class's own interval.
    """
    matrix = confusion.measure(sample).astype(np.float64)
    known = (matrix.sum(axis=0) + matrix.sum(axis=1)) > 0
    matrix = matrix[np.ix_(known, known)]
    value, effect = slope(Counts(matrix))[0], _design_effect(sample)
    if np.isnan(value):
        return Figure(None, None)
    added = _with_one_more(matrix)
    middle, moves = slope(Counts(added))
    scale = 1 - lowest
    share, variance = (middle - lowest) / scale, float((added * moves**2).sum()) / scale**2
    num = share * (1 - share) / max(variance, 1e-300) if len(matrix) > 1 else len(sample.labels)
    worth = num / effect
    at = (value - lowest) / scale
    low, high = (lowest + scale * end for end in wilson(at * worth, worth))
    if each is not None:
        below, above = each(Counts(matrix), effect)
        low, high = min(low, value - below), max(high, value + above)
    return Figure(value, (max(min(low, value), lowest), min(max(high, value), 1.0)))


def _with_one_more(matrix: Matrix) -> Matrix:
    """A picture more of each class, mistaken as often as all are (by Laplace's rule: never surely not)."""
    wrong = (matrix.sum() - matrix.trace() + 1) / (matrix.sum() + 2)
    each = np.full_like(matrix, wrong / max(len(matrix) - 1, 1))
    np.fill_diagonal(each, 1 - wrong)
    return np.asarray(matrix + each)


def _design_effect(sample: Sample) -> float:
    """How much more the share of right answers varies by groups than by pictures."""
    return len(sample.labels) / worth(np.asarray(sample.decided == sample.labels), sample.groups)


def recalls(of: Counts) -> tuple[float, Matrix]:
    """Their mean over the classes that were tested."""
    tested = of.carried > 0
    carried = np.where(tested, of.carried, np.inf)
    each, num = of.hits / carried, int(tested.sum())
    return float(each.sum() / num), (np.eye(len(each)) - each[:, None]) / carried[:, None] / num


def recalls_apart(of: Counts, effect: float) -> tuple[float, float]:
    """How far their mean reaches below and above, by each class's own interval."""
    tested = of.carried > 0
    return _apart(of.hits[tested], of.carried[tested], effect, lambda rate: rate)


def precisions(of: Counts) -> tuple[float, Matrix]:
    """Their mean over the classes; of one that was never answered 0."""
    answered = np.where(of.answered > 0, of.answered, np.inf)
    each = of.hits / answered
    return float(each.mean()), (np.eye(len(each)) - each) / answered / len(each)


def precisions_apart(of: Counts, effect: float) -> tuple[float, float]:
    """As above."""
    return _apart(of.hits, of.answered, effect, lambda rate: rate)


def f1s(of: Counts) -> tuple[float, Matrix]:
    """Their mean over the classes."""
    each = _f1(of)
    return float(each.mean()), _f1_moves(of, np.full(len(each), 1 / len(each)))


def f1s_apart(of: Counts, effect: float) -> tuple[float, float]:
    """F1 is 2 J / (1 + J), and J the share of pictures with or called this class that are both. A mistake counts in two
    classes, so that what is squared and added counts twice."""
    below, above = _apart(of.hits, of.carried + of.answered - of.hits, effect, lambda rate: 2 * rate / (1 + rate))
    return sqrt(2) * below, sqrt(2) * above


def weighted_f1s(of: Counts) -> tuple[float, Matrix]:
    """Their mean, each weighing as many pictures as it has."""
    each, share = _f1(of), of.carried / of.num
    value = float(each @ share)
    return value, (each[:, None] - value) / of.num + _f1_moves(of, share)


def weighted_precisions(of: Counts) -> tuple[float, Matrix]:
    """Likewise."""
    answered = np.where(of.answered > 0, of.answered, np.inf)
    each, share = of.hits / answered, of.carried / of.num
    value = float(each @ share)
    return value, (each[:, None] - value) / of.num + (np.eye(len(each)) - each) / answered * share


def kappas(of: Counts) -> tuple[float, Matrix]:
    """Agreement beyond chance; NaN where truth and answers are of one class alone."""
    seen, by_chance = of.hits.sum() / of.num, float(of.carried @ of.answered) / of.num**2
    if by_chance >= 1:
        return float("nan"), of.matrix
    more_chance = (of.answered[:, None] + of.carried) / of.num**2 - 2 * by_chance / of.num
    more_seen = (np.eye(len(of.matrix)) - seen) / of.num
    moves = more_seen / (1 - by_chance) + more_chance * (seen - 1) / (1 - by_chance) ** 2
    return float((seen - by_chance) / (1 - by_chance)), moves


def _f1(of: Counts) -> Matrix:
    return np.asarray(2 * of.hits / (of.carried + of.answered))


def _f1_moves(of: Counts, weights: Matrix) -> Matrix:
    """How the sum of the F1 (K,), weighted, moves with a picture more in a cell, (K, K)."""
    per = weights / (of.carried + of.answered)
    lost = per * _f1(of)
    return np.asarray(np.diag(2 * per) - lost[:, None] - lost)


def _apart(hits: Matrix, nums: Matrix, effect: float, of_rate: Callable[[Matrix], Matrix]) -> tuple[float, float]:
    """How far the mean of figures of rates reaches below and above, their intervals squared and added."""
    some = np.maximum(nums, 1e-300)
    ends = np.array([wilson(h / effect, n / effect) for h, n in zip(hits.tolist(), nums.tolist(), strict=True)])
    values, low, high = of_rate(hits / some), of_rate(ends[:, 0]), of_rate(ends[:, 1])
    return tuple(float(sqrt(((values - end) ** 2).sum()) / len(nums)) for end in (low, high))  # type: ignore[return-value]
