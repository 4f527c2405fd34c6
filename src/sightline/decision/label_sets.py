"""Sets of several classes that miss few of those a picture carries: conformal risk control (Angelopoulos et al., 2024).

Comes in: probabilities of labelled pictures that did not train; goes out: for a rate of error the probability from
which on a class is in the set. Of pictures that carry any class, the share of their classes that is missed is at most
that rate, on average; those that carry none can miss none, and would only thin the promise out. numpy alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.data.tasks import multi
from sightline.decision.multi import MultiDecision
from sightline.decision.sets import check_enough, check_rate, damaged, least_not_exceeded
from sightline.errors import ConfigError


def kept(probabilities: NDArray[np.float64], labels: NDArray[np.uint8]) -> dict[str, Any]:
    """What a run keeps of its calibration pictures, (N, K), (N, K): the classes of each, and their probabilities."""
    carried = [np.flatnonzero(row) for row in labels]
    given = [row[names].tolist() for row, names in zip(probabilities, carried, strict=True)]
    return {"labels": [names.tolist() for names in carried], "probabilities": given}


def num_in(known: Mapping[str, Any]) -> int:
    """Calibration pictures that carry a class."""
    return sum(bool(names) for names in known["labels"])


@dataclass(frozen=True)
class LabelSets:
    """`thresholds` (K,): the least probability with which a class is in the set; `num`: calibration pictures."""

    error: float
    thresholds: tuple[float, ...]
    num: int
    by_class: bool = False

    def members(self, probabilities: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which classes are in the set of each picture, (N, K)."""
        return np.asarray(probabilities >= np.array(self.thresholds))


def fitted(
    known: Mapping[str, Any], classes: Sequence[str], error: float, method: str | None = None, by_class: bool = False
) -> LabelSets:
    """The sets for a rate of error, from what a run keeps.

    `by_class`: of the pictures that carry a class, each misses it in at most that share. Raises ConfigError where the
    promise cannot be made, or for a `method`: there is one.
    """
    check_rate(error)
    if method is not None:
        raise ConfigError(f"method for sets = {method}: sets of several classes a picture have one way; leave it out")
    labels = np.array([k for names in known["labels"] for k in names], np.int64)
    given = np.array([p for row in known["probabilities"] for p in row], np.float64)
    num = num_in(known)
    if by_class:
        each = [1 - given[labels == k] for k in range(len(classes))]
        found = (1 - least_not_exceeded(s, error, f" with {n!r}") for s, n in zip(each, classes, strict=True))
        return LabelSets(error, tuple(found), num, by_class)
    check_enough(num, error, " that carry a class")
    shares = np.array([1 / len(names) for names in known["labels"] for _ in names])
    return LabelSets(error, (_threshold(given, shares, num, error),) * len(classes), num)


def _threshold(given: NDArray[np.float64], shares: NDArray[np.float64], num: int, error: float) -> float:
    """The largest of the probabilities of classes that are there, (M,), below which no more is missed than allowed.

    The share of its picture's classes that each is, (M,), is what would be missed; one more picture may miss all.
    """
    order = np.argsort(given, kind="stable")
    sorted_p, missed = given[order], np.append(0.0, shares[order].cumsum())
    below = missed[np.searchsorted(sorted_p, sorted_p)]  # by a threshold at each of them
    allowed = error * (num + 1) - 1
    return float(sorted_p[np.flatnonzero(below <= max(allowed, 0.0) + 1e-9)[-1]])


def opened(document: Mapping[str, Any], num_classes: int, where: str) -> Mapping[str, Any]:
    """What a run keeps of its calibration pictures, checked. Raises RunError where it is damaged."""
    try:
        labels, given = document["labels"], document["probabilities"]
        sizes = [(len(names), len(row)) for names, row in zip(labels, given, strict=True)]
        is_whole = all(a == b for a, b in sizes) and all(0 <= p <= 1 for row in given for p in row)
        is_whole = is_whole and all(isinstance(k, int) and 0 <= k < num_classes for names in labels for k in names)
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(where, str(error)) from error
    if not is_whole:
        raise damaged(where, "its labels and probabilities do not fit")
    return document


@dataclass(frozen=True)
class LabelSetPrediction:
    """An answer, and the classes of its set, the most probable first."""

    path: str
    labels: list[str]
    set: list[str]
    probabilities: dict[str, float]
    familiarity: float | None = None
    doubt: str = ""

    def line(self) -> str:
        """The classes with their probabilities, and the set; the path last."""
        found = ", ".join(f"{name} {self.probabilities[name]:.1%}" for name in self.labels)
        return f"{self.doubt and f'{self.doubt}  '}{found or '(none)'}  {{{', '.join(self.set)}}}  {self.path}"

    def cells(self) -> tuple[str, ...]:
        """The classes in one cell, each class's probability, and the set in one cell."""
        names = tuple(self.probabilities)
        probabilities = (f"{p:.6f}" for p in self.probabilities.values())
        return multi.joined(self.labels, names), *probabilities, multi.joined(self.set, names)


@dataclass(frozen=True)
class LabelSetDecision:
    """Any number of classes, and the set that misses as few as promised."""

    decision: MultiDecision
    sets: LabelSets

    def outputs(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """The probabilities."""
        return self.decision.outputs(logits)

    def decided(self, outputs: NDArray[np.float64]) -> NDArray[np.uint8]:
        """1 where a class's threshold is reached, (N, K)."""
        return self.decision.decided(outputs)

    def answer(self, path: str, outputs: NDArray[np.float64], names: tuple[str, ...]) -> LabelSetPrediction:
        plain, members = self.decision.answer(path, outputs, names), self.sets.members(outputs[None])[0]
        inside = [names[k] for k in np.argsort(-outputs, kind="stable") if members[k]]
        return LabelSetPrediction(path, plain.labels, inside, plain.probabilities)

    def columns(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Of a table of answers."""
        return *self.decision.columns(names), "set"
