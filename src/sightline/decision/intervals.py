"""How far off a number may be: intervals that hold the true one as often as promised (Lei et al., 2018).

Comes in: answers and true numbers of labelled pictures that did not train; goes out: for a rate of error how far from
an answer the truth lies, but for that share. Where large answers are further off than small ones, or nearer,
by multiples of a spread that depends on the answer; the pictures that this is seen by are then not counted again, so
that the promise stays exact. Each number has its own. numpy alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.decision.number import NumberDecision
from sightline.decision.sets import can_promise, check_rate, damaged, least_not_exceeded
from sightline.errors import ConfigError

# Pictures from which on the spread is looked at, by every third of them. Where errors grow tenfold with the answer, one
# width by 200 pictures holds 99 to 77 % of the truths in the quarters; widths that grow, 94 to 86 %, and are narrower.
NUM_FOR_SPREAD, EVERY = 200, 3
NUM_PARTS = 4
# The 99 % quantiles of chi-squared by degrees of freedom, beyond which spreads differ (Kruskal and Wallis, 1952).
BEYOND_CHANCE = {1: 6.635, 2: 9.210, 3: 11.345}
LEAST_SPREAD = 0.01  # of the mean: a part that was answered exactly by chance is not certain to be


def kept(answers: NDArray[np.float64], truths: NDArray[np.float64]) -> dict[str, Any]:
    """What a run keeps of its calibration pictures, (N, T), (N, T)."""
    return {"answers": answers.tolist(), "truths": truths.tolist()}


def num_in(known: Mapping[str, Any]) -> int:
    """Calibration pictures."""
    return len(known["truths"])


@dataclass(frozen=True)
class Spread:
    """How far off answers are on average, by the answer: `sizes` at `answers`, in between by a line."""

    answers: tuple[float, ...]
    sizes: tuple[float, ...]

    def at(self, answers: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) -> (N,)."""
        return np.interp(answers, self.answers, self.sizes)


@dataclass(frozen=True)
class Intervals:
    """Of each number: `reaches` (T,), how far its truth may lie from the answer, in its unit or in its spread's.

    num   calibration pictures that each is made by, (T,)
    """

    error: float
    reaches: tuple[float, ...]
    spreads: tuple[Spread | None, ...]
    num: tuple[int, ...]

    def bounds(self, answers: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The ends of the interval of each answer, (N, T) -> (N, T), (N, T)."""
        sizes = [
            np.ones(len(column)) if spread is None else spread.at(column)
            for column, spread in zip(answers.T, self.spreads, strict=True)
        ]
        half = np.stack(sizes, axis=1) * np.array(self.reaches)
        return answers - half, answers + half


def fitted(
    known: Mapping[str, Any], names: Sequence[str], error: float, method: str | None = None, by_class: bool = False
) -> Intervals:
    """The intervals for a rate of error, from what a run keeps.

    Raises ConfigError where the promise cannot be made, or for what only classes have.
    """
    check_rate(error)
    for name, given in (("method for sets", method), ("by class", by_class)):
        if given:
            raise ConfigError(f"{name}: numbers have no classes; an interval is made in one way. Leave it out")
    answers, truths = (np.array(known[key], np.float64).reshape(-1, len(names)) for key in ("answers", "truths"))
    each = [_of_one(a, t, error) for a, t in zip(answers.T, truths.T, strict=True)]
    return Intervals(error, *(tuple(values) for values in zip(*each, strict=True)))


def _of_one(
    answers: NDArray[np.float64], truths: NDArray[np.float64], error: float
) -> tuple[float, Spread | None, int]:
    """Reach, spread and calibration pictures of one number, (N,), (N,)."""
    off = abs(answers - truths)
    aside = np.arange(len(off)) % EVERY == 0
    spread = spread_of(answers[aside], off[aside]) if len(off) >= NUM_FOR_SPREAD else None
    if spread is not None and can_promise(int((~aside).sum()), error):
        off = off[~aside] / spread.at(answers[~aside])
    else:
        spread = None
    return least_not_exceeded(off, error, ""), spread, len(off)


def spread_of(answers: NDArray[np.float64], off: NDArray[np.float64]) -> Spread | None:
    """How the distances (N,) from the truth depend on the answers (N,); None where chance may have made it so.

    By parts of equally many answers, and ranks. Where distances do not depend on answers, which ranks lie in which part
    says nothing of how large they are, so that all pictures may then be used for what is promised.
    """
    edges = np.unique(np.quantile(answers, np.arange(1, NUM_PARTS) / NUM_PARTS, method="higher"))
    parts = np.unique(np.searchsorted(edges, answers, side="right"), return_inverse=True)[1]
    counts = np.bincount(parts)
    values, place = np.unique(off, return_inverse=True)
    if len(counts) < 2 or len(values) < 2:
        return None
    ends = np.bincount(place).cumsum()
    ranks = (ends - (np.bincount(place) - 1) / 2)[place]  # equal ones share their mean rank
    centred = ranks - ranks.mean()
    between = (np.bincount(parts, centred) ** 2 / counts).sum()
    if (len(off) - 1) * between / (centred**2).sum() <= BEYOND_CHANCE[len(counts) - 1]:
        return None
    at = tuple(float(np.median(answers[parts == part])) for part in range(len(counts)))
    sizes = np.maximum(np.bincount(parts, off) / counts, LEAST_SPREAD * off.mean())
    return Spread(at, tuple(sizes.tolist()))


def opened(document: Mapping[str, Any], num_names: int, where: str) -> Mapping[str, Any]:
    """What a run keeps of its calibration pictures, checked. Raises RunError where it is damaged."""
    try:
        answers, truths = (np.array(document[name], np.float64) for name in ("answers", "truths"))
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(where, str(error)) from error
    is_whole = answers.shape == truths.shape == (len(truths), num_names)
    if not is_whole or not np.isfinite(answers).all() or not np.isfinite(truths).all():
        raise damaged(where, "its answers and truths do not fit")
    return document


@dataclass(frozen=True)
class IntervalPrediction:
    """An answer: the numbers by name, in the user's units, and the interval [low, high] of each."""

    path: str
    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    familiarity: float | None = None
    doubt: str = ""

    def line(self) -> str:
        """The numbers with their intervals, and with their names where there are several; the path last."""
        path = f"{self.doubt}  {self.path}" if self.doubt else self.path
        spans = {name: f"({low:.5g} to {high:.5g})" for name, (low, high) in self.intervals.items()}
        if len(self.values) == 1:
            ((name, value),) = self.values.items()
            return f"{value:9.5g} {spans[name]}  {path}"
        return f"{', '.join(f'{name} {value:.5g} {spans[name]}' for name, value in self.values.items())}  {path}"

    def cells(self) -> tuple[str, ...]:
        """The numbers, then the ends of each interval."""
        ends = (f"{end:.6g}" for interval in self.intervals.values() for end in interval)
        return *(f"{value:.6g}" for value in self.values.values()), *ends


@dataclass(frozen=True)
class IntervalDecision:
    """Numbers, and the intervals that hold the true ones as often as promised."""

    decision: NumberDecision
    sets: Intervals

    def outputs(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """In the user's units, (N, T) -> (N, T)."""
        return self.decision.outputs(logits)

    def decided(self, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """The numbers themselves."""
        return outputs

    def answer(self, path: str, outputs: NDArray[np.float64], names: tuple[str, ...]) -> IntervalPrediction:
        low, high = (ends[0].tolist() for ends in self.sets.bounds(outputs[None]))
        spans = dict(zip(names, zip(low, high, strict=True), strict=True))
        return IntervalPrediction(path, self.decision.answer(path, outputs, names).values, spans)

    def columns(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Of a table of answers."""
        return *names, *(f"{end}_{name}" for name in names for end in ("low", "high"))
