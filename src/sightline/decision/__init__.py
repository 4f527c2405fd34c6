"""Logits -> answers, for each task. Comes in: logits (N, K); goes out: probabilities or values, and Predictions.

numpy alone: the same code answers for a Run, an exported artefact and the service. Must not know networks, torch or
files. One file, one task; each decision has

    outputs(logits)              (N, K) -> (N, K) float64: probabilities, or numbers in the user's units
    decided(outputs)             (N, K) -> what was decided: (N,) a class, (N, K) yes or no, (N, K) the numbers
    answer(path, outputs, names) one row of outputs -> a Prediction
    columns(names)               of a table of answers

A Prediction has `familiarity`, the share of known pictures as strange as this one or stranger (None where there is
nothing to tell it by), and `doubt`, "unknown" or "unsure" where the answer is not given; the Predictor fills them in.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from sightline import config
from sightline.decision.abstention import Abstention
from sightline.decision.answers import Answers
from sightline.decision.multi import MultiDecision, MultiPrediction
from sightline.decision.number import NumberDecision, NumberPrediction
from sightline.decision.sets import SetDecision, SetPrediction, Sets
from sightline.decision.single import Decision, Prediction
from sightline.decision.unknown import Unknown
from sightline.errors import ConfigError

__all__ = [
    "Abstention", "Answers", "AnyDecision", "AnyPrediction", "Decision", "MultiDecision", "MultiPrediction",
    "NumberDecision", "NumberPrediction", "Prediction", "SetDecision", "SetPrediction", "Sets", "Unknown",
    "open_decision",
]  # fmt: skip

AnyPrediction = Prediction | SetPrediction | MultiPrediction | NumberPrediction
AnyDecision = Decision | SetDecision | MultiDecision | NumberDecision
_STORED: dict[str, type[MultiDecision] | type[NumberDecision]] = {"multi": MultiDecision, "number": NumberDecision}


def open_decision(task: str, values: Mapping[str, Any], num_names: int, where: str) -> AnyDecision:
    """The decision of a task from its stored values. Raises ConfigError where they do not fit."""
    if task == "single":
        found = config.build(Decision, dict(values), where)
        if not 0 < found.temperature < np.inf:
            raise ConfigError(f"{where}: temperature = {found.temperature}; it must be more than 0")
        return found
    if task not in _STORED:
        raise ConfigError(f"{where}: task {task!r} is not known; known: single, {', '.join(_STORED)}")
    decision = config.build(_STORED[task], dict(values), where)
    for name, numbers in asdict(decision).items():
        if len(numbers) != num_names or not np.isfinite(numbers).all():
            raise ConfigError(f"{where}: {name} = {list(numbers)}; there must be {num_names} numbers")
    return decision
