"""Sets of classes that hold the right one as often as promised: split conformal prediction (Vovk et al., 2005).

Comes in: probabilities of labelled pictures that did not train; goes out: for a rate of error a threshold, and by it
the set of a picture. All it needs is that those pictures and new ones could be exchanged; the promise is for all of
them together, not for each picture. numpy alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.data.tasks import multi
from sightline.decision.single import Decision
from sightline.errors import ConfigError, RunError, nearest

METHODS = ("lac", "aps", "raps")
# Of 43 kinds of traffic signs, 96 % right, 99 % sets name 1.25 classes by it, 1.38 by lac, 6.88 by raps, whose penalty
# the hardest pictures hand on to all others; elsewhere the three were alike (docs/experiments.md).
DEFAULT = "aps"
# Of RAPS: what a class costs for each place behind the FREE first ones. Its authors tune both; here no picture is spent
# on that.
PENALTY, FREE = 0.1, 2


def scores(probabilities: NDArray[np.float64], method: str) -> NDArray[np.float64]:
    """How odd each class would be as the truth, (N, K) -> (N, K).

    lac: 1 less its probability (Sadinle, Lei and Wasserman, 2019): the smallest sets on average.
    aps: the probability of all that are more probable (Romano, Sesia and Candès, 2020; without chance, so that there is
    one set for a picture): easy pictures get smaller sets, hard ones larger, so that coverage is more even.
    raps: likewise, with a penalty on classes far behind (Angelopoulos et al., 2021): no very large sets.
    """
    if method not in METHODS:
        raise ConfigError(nearest(method, METHODS, "method for sets"))
    if method == "lac":
        return 1 - probabilities
    order, falling = _falling(probabilities)
    before = falling.cumsum(axis=1) - falling
    before[:, 0] = 0.0
    if method == "raps":
        before += PENALTY * np.maximum(np.arange(1, before.shape[1] + 1) - FREE, 0)
    found = np.empty_like(before)
    np.put_along_axis(found, order, before, 1)
    return found


def _falling(probabilities: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The classes of each picture, the most probable first, of equals the first of the order, and theirs (N, K)."""
    order = np.argsort(-probabilities, axis=1)  # twice as fast as a stable sort, which only equals need
    falling = np.take_along_axis(probabilities, order, 1)
    tied = (falling[:, 1:] == falling[:, :-1]).any(axis=1)
    order[tied] = np.argsort(-probabilities[tied], axis=1, kind="stable")
    return order, falling


def true_scores(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, list[float]]:
    """Of the right class of each picture, by method: what a run keeps of its calibration pictures."""
    rows = np.arange(len(labels))
    return {method: scores(probabilities, method)[rows, labels].tolist() for method in METHODS}


@dataclass(frozen=True)
class Sets:
    """`thresholds` (K,): the oddest that a class may be and still be in the set; `num`: calibration pictures."""

    error: float
    method: str
    thresholds: tuple[float, ...]
    num: int

    def members(self, probabilities: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which classes are in the set of each picture, (N, K). The most probable one always is."""
        inside = scores(probabilities, self.method) <= np.array(self.thresholds)
        inside[np.arange(len(inside)), probabilities.argmax(axis=1)] = True
        return np.asarray(inside)


def kept(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> dict[str, Any]:
    """What a run keeps of its calibration pictures, (N, K), (N,)."""
    return {
        "labels": labels.tolist(),
        "answers": probabilities.argmax(axis=1).tolist(),
        "probabilities": probabilities.max(axis=1).tolist(),
        "scores": true_scores(probabilities, labels.astype(np.int64)),
    }


def num_in(known: Mapping[str, Any]) -> int:
    """Calibration pictures."""
    return len(known["labels"])


def fitted(
    known: Mapping[str, Any], classes: Sequence[str], error: float, method: str | None = None, by_class: bool = False
) -> Sets:
    """The sets for a rate of error, from what a run keeps. `method`: one of METHODS; None: aps.

    `by_class`: the promise holds for the pictures of each class. Raises ConfigError where it cannot be made.
    """
    check_rate(error)
    method = DEFAULT if method is None else method
    if method not in METHODS:
        raise ConfigError(nearest(method, METHODS, "method for sets"))
    labels, found = np.array(known["labels"], np.int64), np.array(known["scores"][method], np.float64)
    if not by_class:
        thresholds = [least_not_exceeded(found, error, "")] * len(classes)
    else:
        thresholds = [least_not_exceeded(found[labels == k], error, f" of {name!r}") for k, name in enumerate(classes)]
    return Sets(error, method, tuple(thresholds), len(labels))


def check_rate(error: float) -> None:
    """Raise ConfigError for what is no rate of error."""
    if not 0 < error < 1:
        raise ConfigError(f"sets = {error:g}: the rate of error must lie between 0 and 1, such as 0.1")


def check_enough(num: int, error: float, of: str) -> None:
    """Raise ConfigError where so many calibration pictures, described by `of`, cannot bear a rate of error."""
    if not can_promise(num, error):
        raise ConfigError(
            f"sets = {error:g}: with {num} calibration pictures{of} that cannot be promised; it takes "
            f"{ceil(1 / error) - 1} of them, or a larger rate of error"
        )


def least_not_exceeded(found: NDArray[np.float64], error: float, of: str) -> float:
    """The least score that so many of the calibration pictures (N,), and one more, do not exceed.

    Raises ConfigError, where they are too few, with the words `of` for which they are.
    """
    check_enough(len(found), error, of)
    return float(np.sort(found)[_place(len(found), error) - 1])


def can_promise(num: int, error: float) -> bool:
    """Whether so many calibration pictures suffice."""
    return _place(num, error) <= num


def _place(num: int, error: float) -> int:
    """Of the threshold among the scores of so many pictures, the least first."""
    return ceil((num + 1) * (1 - error))


def opened(document: Mapping[str, Any], num_classes: int, where: str) -> Mapping[str, Any]:
    """What a run keeps of its calibration pictures, checked. Raises RunError where it is damaged."""
    try:
        labels, found = document["labels"], document["scores"]
        is_whole = all(len(found[method]) == len(labels) for method in METHODS)
        is_whole = is_whole and all(np.isfinite(found[method]).all() for method in METHODS)
        is_whole = is_whole and all(isinstance(k, int) and 0 <= k < num_classes for k in labels)
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(where, str(error)) from error
    if not is_whole:
        raise damaged(where, "its labels and scores do not fit")
    return document


def damaged(where: str, why: str) -> RunError:
    """The error of what a run keeps of its calibration pictures."""
    return RunError(f"{where} is damaged ({why}); restore it or train again")


@dataclass(frozen=True)
class SetPrediction:
    """An answer with the classes of its set, the most probable first."""

    path: str
    label: str
    probability: float
    set: list[str]
    probabilities: dict[str, float]
    familiarity: float | None = None
    doubt: str = ""

    def line(self) -> str:
        """The answer and its set, the path last."""
        sure = self.doubt or f"{self.probability:.1%}"
        return f"{sure:>7}  {self.label}{'?' * bool(self.doubt)}  {{{', '.join(self.set)}}}  {self.path}"

    def cells(self) -> tuple[str, ...]:
        """The class, its probability, and the set in one cell."""
        return self.label, f"{self.probability:.6f}", multi.joined(self.set, tuple(self.probabilities))


@dataclass(frozen=True)
class SetDecision:
    """One class, and the set that holds the right one as often as promised."""

    decision: Decision
    sets: Sets

    def outputs(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """The probabilities."""
        return self.decision.outputs(logits)

    def decided(self, outputs: NDArray[np.float64]) -> NDArray[np.int64]:
        """The most probable class, (N, K) -> (N,)."""
        return self.decision.decided(outputs)

    def answer(self, path: str, outputs: NDArray[np.float64], names: tuple[str, ...]) -> SetPrediction:
        plain, members = self.decision.answer(path, outputs, names), self.sets.members(outputs[None])[0]
        inside = [names[k] for k in np.argsort(-outputs, kind="stable") if members[k]]
        return SetPrediction(path, plain.label, plain.probability, inside, plain.probabilities)

    def columns(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Of a table of answers."""
        return *self.decision.columns(names), "set"
