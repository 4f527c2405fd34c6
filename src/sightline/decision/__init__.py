"""Logits -> answers, for each task. Comes in: logits (N, K); goes out: probabilities or values, and Predictions.

numpy alone: the same code answers for a Run, an exported artefact and the service. Must not know networks, torch or
files. One file, one task, and one for its answers with sets or intervals; each decision has

    outputs(logits)              (N, K) -> (N, K) float64: probabilities, or numbers in the user's units
    decided(outputs)             (N, K) -> what was decided: (N,) a class, (N, K) yes or no, (N, K) the numbers
    answer(path, outputs, names) one row of outputs -> a Prediction
    columns(names)               of a table of answers

A Prediction has `familiarity`, the share of known pictures as strange as this one or stranger (None where there is
nothing to tell it by), and `doubt`, "unknown" or "unsure" where the answer is not given; the Predictor fills them in.
"""

from collections.abc import Mapping
from dataclasses import asdict
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline import config
from sightline.decision import intervals, label_sets, sets
from sightline.decision.abstention import Abstention
from sightline.decision.answers import Answers
from sightline.decision.intervals import IntervalDecision, IntervalPrediction, Intervals
from sightline.decision.label_sets import LabelSetDecision, LabelSetPrediction, LabelSets
from sightline.decision.multi import MultiDecision, MultiPrediction
from sightline.decision.number import NumberDecision, NumberPrediction
from sightline.decision.sets import SetDecision, SetPrediction, Sets
from sightline.decision.single import Decision, Prediction
from sightline.decision.unknown import Unknown
from sightline.errors import ConfigError

__all__ = [
    "Abstention", "Answers", "AnyDecision", "AnyPrediction", "AnySets", "Decision", "IntervalDecision",
    "IntervalPrediction", "Intervals", "LabelSetDecision", "LabelSetPrediction", "LabelSets", "MultiDecision",
    "MultiPrediction", "NumberDecision", "NumberPrediction", "PlainDecision", "Prediction", "SetDecision",
    "SetPrediction", "Sets", "Unknown", "fitted_sets", "kept_for_sets", "num_for_sets", "open_decision", "with_sets",
]  # fmt: skip

PlainDecision = Decision | MultiDecision | NumberDecision
AnyDecision = PlainDecision | SetDecision | LabelSetDecision | IntervalDecision
AnyPrediction = (
    Prediction | SetPrediction | MultiPrediction | LabelSetPrediction | NumberPrediction | IntervalPrediction
)
AnySets = Sets | LabelSets | Intervals
_STORED: dict[str, type[MultiDecision] | type[NumberDecision]] = {"multi": MultiDecision, "number": NumberDecision}
_MAY_LACK = ("temperatures", "biases")  # of runs that are not calibrated
_SETS: dict[str, ModuleType] = {"single": sets, "multi": label_sets, "number": intervals}


def open_decision(task: str, values: Mapping[str, Any], num_names: int, where: str) -> PlainDecision:
    """The decision of a task from its stored values. Raises ConfigError where they do not fit."""
    if task == "single":
        found = config.build(Decision, dict(values), where)
        if not 0 < found.temperature < np.inf:
            raise ConfigError(f"{where}: temperature = {found.temperature}; it must be more than 0")
        if len(found.curve) not in (0, 3) or not np.isfinite(found.curve).all() or min(found.curve[:2], default=1) < 0:
            raise ConfigError(f"{where}: curve = {list(found.curve)}; three numbers are needed, two not below 0")
        return found
    if task not in _STORED:
        raise ConfigError(f"{where}: task {task!r} is not known; known: single, {', '.join(_STORED)}")
    decision = config.build(_STORED[task], dict(values), where)
    for name, numbers in asdict(decision).items():
        if name in _MAY_LACK and not any(len(getattr(decision, other)) for other in _MAY_LACK):
            continue
        if len(numbers) != num_names or not np.isfinite(numbers).all():
            raise ConfigError(f"{where}: {name} = {list(numbers)}; there must be {num_names} numbers")
    if isinstance(decision, MultiDecision) and min(decision.temperatures, default=1.0) <= 0:
        raise ConfigError(f"{where}: temperatures = {list(decision.temperatures)}; they must be more than 0")
    return decision


def kept_for_sets(task: str, outputs: NDArray[np.float64], labels: NDArray[Any]) -> dict[str, Any]:
    """What a run keeps of its calibration pictures, to make sets or intervals by."""
    found: dict[str, Any] = _SETS[task].kept(outputs, labels)
    return found


def num_for_sets(task: str, known: Mapping[str, Any]) -> int:
    """Calibration pictures among what a run keeps that count for them."""
    return int(_SETS[task].num_in(known))


def fitted_sets(
    task: str, document: Mapping[str, Any], names: tuple[str, ...], where: str, error: float,
    method: str | None = None, by_class: bool = False,
) -> AnySets:  # fmt: skip
    """Sets of classes, or intervals of numbers, for a rate of error, from what a run keeps.

    Raises RunError where that is damaged, ConfigError where the promise cannot be made.
    """
    room = _SETS[task]
    found: AnySets = room.fitted(room.opened(document, len(names), where), names, error, method, by_class)
    return found


def with_sets(decision: PlainDecision, made: AnySets) -> AnyDecision:
    """The decision that answers with them too."""
    if isinstance(decision, Decision) and isinstance(made, Sets):
        return SetDecision(decision, made)
    if isinstance(decision, MultiDecision) and isinstance(made, LabelSets):
        return LabelSetDecision(decision, made)
    assert isinstance(decision, NumberDecision) and isinstance(made, Intervals)
    return IntervalDecision(decision, made)
