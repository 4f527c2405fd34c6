"""The slices in which the network is worst. Comes in: an Evaluation that looked; goes out: Slices, each with how likely
chance alone makes one so bad.

A slice holds the pictures with one value of one attribute, or of two. It need not be looked for by name: all with
enough pictures are compared with the rest, and corrected for being many. Must not know how they are shown.
"""

from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from sightline.errors import DataError
from sightline.evaluation.evaluate import Evaluation
from sightline.slicing.chance import Chance, against_chance, deviation
from sightline.slicing.parts import Parts, all_parts
from sightline.slicing.score import Figures, Scores, scores_of

MIN_SIZE = 20  # pictures of a slice, and of the rest
MIN_PICTURES = 2 * MIN_SIZE
MAX_SLICES = 2000  # of more, those of the fewest pictures are not looked at
MAX_CELLS = 2e8  # slices times pictures: 200 MB
ERROR = 0.05  # of a finding, where there is no difference at all
MAX_SHOWN = 10
FEW_SHOWN = 5  # where fewer stand out
ALREADY = 0.5  # of a slice's mistakes lie in those before it: then it says nothing new


@dataclass(frozen=True)
class Slice:
    """The pictures with all of `terms`, (attribute, value) each, and what came of them.

    inside     their figure; `rest`: that of all others
    alone      p-value by itself, one-sided
    corrected  p-value as one of all slices that were looked at
    members    (n,) which of the tested pictures they are
    """

    terms: tuple[tuple[str, str], ...]
    inside: Figures
    rest: float
    alone: float
    corrected: float
    members: NDArray[np.bool_] = field(repr=False, compare=False)

    @property
    def stands_out(self) -> bool:
        return self.corrected <= ERROR

    @property
    def name(self) -> str:
        """`truth glass, brightness under 80`"""
        return ", ".join(f"{attribute} {value}" for attribute, value in self.terms)


@dataclass(frozen=True)
class Slices:
    """The worst of `num_looked` slices of `num` pictures: those that stand out, then a few that chance makes as bad.

    figure      what is measured: `accuracy`, `exact match`, `error`
    attributes  by which it was looked; `too_many`: those of which no value has enough pictures, and their values
    """

    figure: str
    num: int
    num_looked: int
    num_mistakes: int | None
    worst: tuple[Slice, ...]
    attributes: tuple[str, ...]
    too_many: tuple[tuple[str, int], ...] = ()

    @property
    def standing_out(self) -> tuple[Slice, ...]:
        return tuple(one for one in self.worst if one.stands_out)

    def to_json(self) -> dict[str, object]:
        """Plain values."""
        return {
            "figure": self.figure,
            "num_samples": self.num,
            "num_looked": self.num_looked,
            "attributes": list(self.attributes),
            "worst": [
                {
                    "slice": dict(one.terms),
                    "count": one.inside.count,
                    "value": one.inside.value,
                    "interval": None if one.inside.interval is None else list(one.inside.interval),
                    "rest": one.rest,
                    "p_alone": one.alone,
                    "p_corrected": one.corrected,
                    "stands_out": one.stands_out,
                }
                for one in self.worst
            ],
        }


def find_slices(tested: Evaluation) -> Slices:
    """Raises DataError for fewer than MIN_PICTURES pictures."""
    if len(tested.rows) < MIN_PICTURES:
        raise DataError(
            f"{len(tested.rows)} pictures are too few to look for slices in; at least {MIN_PICTURES} are needed"
        )
    scores = scores_of(tested)
    found = all_parts(tested)
    if tested.groups is not None:  # whether a whole group is worse, or chance, its own pictures cannot tell
        found = [parts for parts in found if parts.name != "group"]
    terms, members = candidates(found, len(scores))
    too_many = tuple((parts.name, len(parts.values)) for parts in found if parts.counts.max() < MIN_SIZE)
    worst = () if not len(terms) else _worst(terms, members, scores, against_chance(members, scores))
    num_mistakes = int(scores.bad.sum()) if scores.is_rate else None
    used = tuple(parts.name for parts in found if parts.counts.max() >= MIN_SIZE)
    return Slices(scores.name, len(scores), len(terms), num_mistakes, worst, used, too_many)


def candidates(found: list[Parts], num: int) -> tuple[list[tuple[tuple[str, str], ...]], NDArray[np.bool_]]:
    """The terms of each slice, and (S, n) the pictures that it holds; the largest first where there are too many.

    A pair that holds all the pictures of one of its two values is that value, and no slice of its own.
    """
    kept = list[tuple[int, tuple[tuple[Parts, int], ...]]]()
    for parts in found:
        kept += [
            (int(size), ((parts, v),)) for v, size in enumerate(parts.counts) if MIN_SIZE <= size <= num - MIN_SIZE
        ]
    for one, other in combinations([parts for parts in found if parts.counts.max() >= MIN_SIZE], 2):
        width = len(other.values)
        sizes = np.bincount(one.codes * width + other.codes, minlength=len(one.values) * width).reshape(-1, width)
        smaller = sizes < np.minimum(one.counts[:, None], other.counts[None, :])
        for v, w in np.argwhere((sizes >= MIN_SIZE) & smaller).tolist():
            kept.append((int(sizes[v, w]), ((one, v), (other, w))))
    kept.sort(key=lambda item: (-item[0], len(item[1])))
    kept = kept[: int(min(MAX_SLICES, MAX_CELLS // num))]
    members = np.ones((len(kept), num), bool)
    for row, (_, terms) in enumerate(kept):
        for parts, value in terms:
            members[row] &= parts.codes == value
    return [tuple((parts.name, parts.values[value]) for parts, value in terms) for _, terms in kept], members


def _worst(
    terms: list[tuple[tuple[str, str], ...]], members: NDArray[np.bool_], scores: Scores, chance: Chance
) -> tuple[Slice, ...]:
    """The farthest from chance, without those whose mistakes lie in the ones before, unless they are the worst part of
    one; of those that stand out the worst first."""
    chosen, told = list[Slice](), np.zeros(len(scores), bool)
    for place in np.argsort(-chance.deviations, kind="stable").tolist():
        corrected = float(chance.corrected[place])
        if chance.deviations[place] <= 0 or len(chosen) >= (MAX_SHOWN if corrected <= ERROR else FEW_SHOWN):
            break
        inside = members[place]
        is_told = (scores.bad * (inside & told)).sum() > ALREADY * (scores.bad * inside).sum()
        if is_told and not _worse_than_its_own(inside, chosen, scores, chance.critical):
            continue
        told |= inside
        figures, rest = scores.figures(inside), scores.value(float(scores.bad[~inside].mean()))
        chosen.append(Slice(terms[place], figures, rest, float(chance.alone[place]), corrected, inside))
    sign = 1 if scores.is_rate else -1
    return tuple(sorted(chosen, key=lambda one: (not one.stands_out, sign * one.inside.value)))


def _worse_than_its_own(inside: NDArray[np.bool_], chosen: list[Slice], scores: Scores, critical: float) -> bool:
    """Whether a slice is part of one that was chosen, and worse than the others of that beyond chance."""
    around = [one.members for one in chosen if not (inside & ~one.members).any()]
    if not around:
        return False
    smallest = min(around, key=lambda members: int(members.sum()))
    if smallest.sum() - inside.sum() < MIN_SIZE:
        return False
    return deviation(inside[smallest], scores.of(smallest)) >= critical
