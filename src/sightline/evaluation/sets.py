"""How sets of classes, and intervals of numbers, did on a test.

Comes in: an Evaluation and what was promised; goes out: what was held, and how large they had to be for it. Must not
know files, torch or the report's looks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.decision import AnySets, Intervals, LabelSets, Sets
from sightline.evaluation.evaluate import Evaluation
from sightline.metrics import Figure, Rate, Sample, rate
from sightline.metrics._interval import of_mean

NUM_QUARTERS = 4


@dataclass(frozen=True)
class ClassSets:
    """The sets of the `count` pictures of a class, or that carry it: the share that holds it, and `mean_size` classes a
    set."""

    name: str
    count: int
    coverage: Rate
    mean_size: float


@dataclass(frozen=True)
class SetsMeasured:
    """How sets of classes did: `coverage`, the share of pictures whose right class is in theirs, against 1 - `error`.

    mean_size     classes a set
    share_single  sets of one class
    classes       those that were tested
    num           calibration pictures that the sets are made by
    """

    error: float
    method: str
    num: int
    coverage: Rate
    mean_size: float
    share_single: float
    classes: tuple[ClassSets, ...]


@dataclass(frozen=True)
class LabelSetsMeasured:
    """How sets of several classes did: `missed`, the mean share of a picture's classes that it lacks, against `error`.

    missed        over pictures that carry any; undefined where none does
    by_class      whether the promise is for the pictures of each class
    mean_size, mean_carried   classes a set, and classes a picture
    classes       those that a picture carries
    num           calibration pictures that carry a class
    """

    error: float
    by_class: bool
    num: int
    missed: Figure
    mean_size: float
    mean_carried: float
    classes: tuple[ClassSets, ...]


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


def measure_sets_by(
    tested: Evaluation, made: AnySets, names: tuple[str, ...], codes: NDArray[np.intp]
) -> list[AnyMeasured]:
    """Of each part of the pictures, `codes` (n,) being the number of a picture's."""
    return [measure_sets(tested.of(codes == k), made, names) for k in range(int(codes.max()) + 1)]


def of_one_class(tested: Evaluation, sets: Sets, classes: tuple[str, ...]) -> SetsMeasured:
    members, labels = sets.members(tested.outputs), tested.labels.astype(np.int64)
    coverage, sizes = rate(members[np.arange(len(labels)), labels], tested.groups), members.sum(axis=1)
    each = _each(tested, members, labels[:, None] == np.arange(len(classes)), classes)
    share_single = float((sizes == 1).mean())
    return SetsMeasured(sets.error, sets.method, sets.num, coverage, float(sizes.mean()), share_single, each)


def of_several(tested: Evaluation, sets: LabelSets, classes: tuple[str, ...]) -> LabelSetsMeasured:
    members, carried = sets.members(tested.outputs), tested.labels > 0
    missed, counts = (carried & ~members).sum(axis=1), carried.sum(axis=1)
    any_one = counts > 0
    share = missed[any_one] / counts[any_one]
    figure = Figure(None, None)
    if len(share):
        figure = Figure(float(share.mean()), of_mean(share, tested.sample.groups_of(any_one), 0.0, 1.0))
    size, each = float(members.sum(axis=1).mean()), _each(tested, members, carried, classes)
    return LabelSetsMeasured(sets.error, sets.by_class, sets.num, figure, size, float(counts.mean()), each)


def _each(
    tested: Evaluation, members: NDArray[np.bool_], carried: NDArray[np.bool_], classes: tuple[str, ...]
) -> tuple[ClassSets, ...]:
    """Of the classes that pictures carry, (N, K) both."""
    sizes, found = members.sum(axis=1), []
    for name, held, own in zip(classes, members.T, carried.T, strict=True):
        if own.any():
            coverage = rate(held[own], tested.sample.groups_of(own))
            found.append(ClassSets(name, int(own.sum()), coverage, float(sizes[own].mean())))
    return tuple(found)


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
            _quarters(tested.sample, t, held[:, t], widths[:, t]),
        )
        for t, name in enumerate(names)
    )


def _quarters(sample: Sample, t: int, held: NDArray[np.bool_], widths: NDArray[np.float64]) -> tuple[Quarter, ...]:
    """By the answers for number `t`, the smallest first; of fewer than four pictures a part for each."""
    answers, found = sample.outputs[:, t], []
    for part in np.array_split(np.argsort(answers, kind="stable"), min(NUM_QUARTERS, len(answers))):
        coverage = rate(held[part], sample.groups_of(part))
        found.append(Quarter(float(answers[part[0]]), float(answers[part[-1]]), coverage, float(widths[part].mean())))
    return tuple(found)
