"""How sets of classes, and intervals of numbers, did on a test.

Comes in: an Evaluation and what was promised; goes out: what was held, and how large they had to be for it. Must not
know files, torch or the report's looks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.decision import AnySets, Intervals, LabelSets, Sets
from sightline.evaluation.evaluate import Evaluation
from sightline.metrics import Figure, Rate, rate
from sightline.metrics._interval import of_mean

NUM_QUARTERS = 4


@dataclass(frozen=True)
class SetsMeasured:
    """How sets of classes did: `coverage`, the share of pictures whose right class is in theirs, against 1 - `error`.

    mean_size     classes a set
    share_single  sets of one class
    worst         the class whose pictures were covered the least, and its coverage
    num           calibration pictures that the sets are made by
    """

    error: float
    method: str
    num: int
    coverage: Rate
    mean_size: float
    share_single: float
    worst: tuple[str, Rate]


@dataclass(frozen=True)
class LabelSetsMeasured:
    """How sets of several classes did: `missed`, the mean share of a picture's classes that it lacks, against `error`.

    missed        over pictures that carry any; undefined where none does
    by_class      whether the promise is for the pictures of each class
    mean_size, mean_carried   classes a set, and classes a picture
    worst         the class that was missed most, and the share of its pictures whose sets hold it; None where none has
                  a picture
    num           calibration pictures that carry a class
    """

    error: float
    by_class: bool
    num: int
    missed: Figure
    mean_size: float
    mean_carried: float
    worst: tuple[str, Rate] | None


@dataclass(frozen=True)
class Quarter:
    """Pictures whose answers lie from `low` to `high`: how often the truth was held, and how wide intervals are."""

    low: float
    high: float
    coverage: Rate
    mean_width: float


@dataclass(frozen=True)
class IntervalsMeasured:
    """How the intervals of one number did: `coverage`, the share that holds the truth, against 1 - `error`.

    is_scaled    whether their width depends on the answer
    mean_width   in the number's unit
    quarters     of equally many pictures, by the answer
    num          calibration pictures that they are made by
    """

    name: str
    error: float
    num: int
    is_scaled: bool
    coverage: Rate
    mean_width: float
    quarters: tuple[Quarter, ...]


AnyMeasured = SetsMeasured | LabelSetsMeasured | tuple[IntervalsMeasured, ...]


def measure_sets(tested: Evaluation, made: AnySets, names: tuple[str, ...]) -> AnyMeasured:
    """What came of a promise on a test of the same task."""
    if isinstance(made, Sets):
        return of_one_class(tested, made, names)
    return of_several(tested, made, names) if isinstance(made, LabelSets) else of_numbers(tested, made, names)


def of_one_class(tested: Evaluation, sets: Sets, classes: tuple[str, ...]) -> SetsMeasured:
    members, labels, sample = sets.members(tested.outputs), tested.labels.astype(np.int64), tested.sample
    held, sizes = members[np.arange(len(labels)), labels], members.sum(axis=1)
    of_class = {name: labels == k for k, name in enumerate(classes) if (labels == k).any()}
    worst = _worst({name: rate(held[own], sample.groups_of(own)) for name, own in of_class.items()})
    assert worst is not None
    coverage, share_single = rate(held, sample.groups), float((sizes == 1).mean())
    return SetsMeasured(sets.error, sets.method, sets.num, coverage, float(sizes.mean()), share_single, worst)


def of_several(tested: Evaluation, sets: LabelSets, classes: tuple[str, ...]) -> LabelSetsMeasured:
    members, carried, sample = sets.members(tested.outputs), tested.labels > 0, tested.sample
    missed, counts = (carried & ~members).sum(axis=1), carried.sum(axis=1)
    any_one = counts > 0
    share = missed[any_one] / counts[any_one]
    figure = Figure(None, None)
    if len(share):
        figure = Figure(float(share.mean()), of_mean(share, sample.groups_of(any_one)))
    columns = zip(classes, members.T, carried.T, strict=True)
    worst = _worst({name: rate(held[own], sample.groups_of(own)) for name, held, own in columns if own.any()})
    size = float(members.sum(axis=1).mean())
    return LabelSetsMeasured(sets.error, sets.by_class, sets.num, figure, size, float(counts.mean()), worst)


def _worst(each: dict[str, Rate]) -> tuple[str, Rate] | None:
    return min(each.items(), key=lambda one: one[1].value, default=None)


def of_numbers(tested: Evaluation, intervals: Intervals, names: tuple[str, ...]) -> tuple[IntervalsMeasured, ...]:
    low, high = intervals.bounds(tested.outputs)
    held, widths = (low <= tested.labels) & (tested.labels <= high), high - low
    return tuple(
        IntervalsMeasured(
            name,
            intervals.error,
            intervals.num[t],
            intervals.spreads[t] is not None,
            rate(held[:, t], tested.groups),
            float(widths[:, t].mean()),
            _quarters(tested.outputs[:, t], held[:, t], widths[:, t], tested.groups),
        )
        for t, name in enumerate(names)
    )


def _quarters(
    answers: NDArray[np.float64],
    held: NDArray[np.bool_],
    widths: NDArray[np.float64],
    groups: NDArray[np.intp] | None,
) -> tuple[Quarter, ...]:
    """By the answers (N,), the smallest first; of fewer than four pictures a part for each."""
    parts = np.array_split(np.argsort(answers, kind="stable"), min(NUM_QUARTERS, len(answers)))
    found = []
    for part in parts:
        coverage = rate(held[part], None if groups is None else groups[part])
        found.append(Quarter(float(answers[part[0]]), float(answers[part[-1]]), coverage, float(widths[part].mean())))
    return tuple(found)
