"""Whether the network does as well for every value of a column. Comes in: an Evaluation, a name; goes out: Gaps.

Every value's figure with its interval, of two classes also how many of each are found and taken for the other; the
largest gap; and whether chance alone makes values so different. Must not know how they are shown.
"""

from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from sightline.errors import ConfigError, DataError
from sightline.evaluation.evaluate import Evaluation
from sightline.metrics._interval import student, wilson
from sightline.slicing.chance import equal_by_chance
from sightline.slicing.parts import Parts, parts_by
from sightline.slicing.score import Figures, Scores, scores_of

MIN_COUNT = 10  # pictures of a value from which on it takes part in gaps and in the test
MAX_VALUES = 100


@dataclass(frozen=True)
class Gap:
    """The largest difference between two values, and its interval, for which each pair's is as wide as picking the
    largest of so many takes (Bonferroni); None where one of the two is a single group."""

    low: str
    high: str
    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Of:
    """A figure of each value, None where no picture counts; the largest gap; `p_equal`: how often chance alone makes
    values so different where there is no difference. None where fewer than two values have enough pictures."""

    figure: str
    each: tuple[Figures | None, ...]
    gap: Gap | None
    p_equal: float | None


@dataclass(frozen=True)
class Gaps:
    """Of a column: its `values`, how many pictures have each, and the number (n,) of each picture's; `of`: the figures,
    the main one first."""

    column: str
    values: tuple[str, ...]
    counts: tuple[int, ...]
    codes: NDArray[np.intp] = field(repr=False, compare=False)
    of: tuple[Of, ...]

    def to_json(self) -> dict[str, object]:
        """Plain values, without those of each picture."""
        document = asdict(self)
        del document["codes"]
        return document


def gaps_by(tested: Evaluation, column: str, classes: tuple[str, ...]) -> Gaps:
    """By a column of the table, or an attribute.

    Raises ConfigError for one that is not there, or has too many values; DataError where it does not tell the pictures
    apart.
    """
    tested = within(tested, column)
    parts = parts_by(tested, column)
    num = len(tested.rows)
    if parts is None or len(parts.values) < 2:
        has = "says nothing of" if parts is None else f"is {parts.values[0]} for all of"
        raise DataError(f"{column} {has} the {num:,} tested pictures, so that there is nothing to compare by it")
    if len(parts.values) > MAX_VALUES:
        raise ConfigError(
            f"{column} has {len(parts.values):,} values for {num:,} pictures, such as {parts.values[0]!r}; to compare "
            f"by it, give a column with at most {MAX_VALUES}"
        )
    scores = scores_of(tested)
    found = [_of(scores.name, scores, parts, np.ones(num, bool))]
    if tested.task == "single" and len(classes) == 2:
        second = tested.labels == 1
        found.append(_of(f"{classes[1]} found", scores, parts, second))
        found.append(_of(f"{classes[0]} taken for {classes[1]}", _opposite(scores), parts, ~second))
    return Gaps(column, parts.values, tuple(parts.counts.tolist()), parts.codes, tuple(found))


def within(tested: Evaluation, column: str) -> Evaluation:
    """The pictures as they count by a column: of groups each for itself, as more of these very groups are meant."""
    return replace(tested, groups=None) if column == "group" else tested


def _opposite(scores: Scores) -> Scores:
    """Rates of what is wrong."""
    return Scores(scores.name, 1 - scores.bad, scores.is_rate, scores.groups)


def _of(figure: str, scores: Scores, parts: Parts, asked: NDArray[np.bool_]) -> Of:
    """Among the pictures `asked` (n,)."""
    members = asked & (parts.codes == np.arange(len(parts.values))[:, None])  # (V, n)
    each = tuple(scores.figures(inside) if inside.any() else None for inside in members)
    enough = np.flatnonzero(members.sum(axis=1) >= MIN_COUNT)
    if len(enough) < 2:
        return Of(figure, each, None, None)
    some = members[enough].any(axis=0)
    p_equal = equal_by_chance(members[enough][:, some], scores.of(some))
    return Of(figure, each, _largest(scores, members, each, parts.values, enough.tolist()), p_equal)


def _largest(
    scores: Scores,
    members: NDArray[np.bool_],
    each: tuple[Figures | None, ...],
    values: tuple[str, ...],
    enough: list[int],
) -> Gap:
    worth = {v: one.value for v in enough if (one := each[v]) is not None}
    low, high = min(worth, key=worth.__getitem__), max(worth, key=worth.__getitem__)
    num_pairs = len(list(combinations(enough, 2)))
    interval = difference(scores, members[low], members[high], 0.05 / num_pairs)
    return Gap(values[low], values[high], worth[high] - worth[low], interval)


def difference(
    scores: Scores, first: NDArray[np.bool_], second: NDArray[np.bool_], error: float
) -> tuple[float, float] | None:
    """The interval of the second's figure less the first's, (n,) members each, none of both.

    Of rates Newcombe's (1998, his method 10); of errors, and by groups, from the spread of what each group adds.
    """
    num_groups = [int(m.sum()) if scores.groups is None else len(np.unique(scores.groups[m])) for m in (first, second)]
    if min(num_groups) < 2:
        return None
    low, high = (scores.value(float(scores.bad[m].mean())) for m in (first, second))
    if scores.is_rate and (scores.groups is None or {low, high} <= {0.0, 1.0}):
        return _newcombe((low, num_groups[0]), (high, num_groups[1]), error)
    sign, part = -1.0 if scores.is_rate else 1.0, np.zeros(len(scores))
    for members, direction in ((first, -1.0), (second, 1.0)):
        bad = scores.bad[members]
        part[members] = direction * sign * (bad - bad.mean()) / len(bad)
    either = first | second
    keys = np.arange(len(scores)) if scores.groups is None else scores.groups
    sums = np.bincount(np.unique(keys[either], return_inverse=True)[1], part[either])
    half = student(min(num_groups) - 1, error) * sqrt(len(sums) / (len(sums) - 1) * float((sums**2).sum()))
    return high - low - half, high - low + half


def _newcombe(first: tuple[float, int], second: tuple[float, int], error: float) -> tuple[float, float]:
    """Of the second rate less the first, (rate, number) each, from Wilson's interval of either."""
    z = NormalDist().inv_cdf(1 - error / 2)
    (a, num_a), (b, num_b) = first, second
    low_a, high_a = wilson(round(a * num_a), num_a, z)
    low_b, high_b = wilson(round(b * num_b), num_b, z)
    return b - a - sqrt((b - low_b) ** 2 + (high_a - a) ** 2), b - a + sqrt((high_b - b) ** 2 + (a - low_a) ** 2)
