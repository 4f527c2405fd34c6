"""Logits -> answers, for each task. Comes in: logits (N, K); goes out: probabilities or values, and Predictions.

numpy alone: the same code answers for a Run, an exported artefact and the service. Must not know networks, torch or
files. Each decision has

    outputs(logits)              (N, K) -> (N, K) float64: probabilities, or numbers in the user's units
    decided(outputs)             (N, K) -> what was decided: (N,) a class, (N, K) yes or no, (N, K) the numbers
    answer(path, outputs, names) one row of outputs -> a Prediction
    columns(names)               of a table of answers
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline import config
from sightline.data.tasks import multi
from sightline.errors import ConfigError

# A threshold chosen on fewer pictures that carry the class than this would be luck; it stays at one half.
MIN_POSITIVES = 10
ONE_HALF = 0.5


@dataclass(frozen=True)
class Prediction:
    """An answer: the most probable class and the probability of each, in the run's class order."""

    path: str
    label: str
    probability: float
    probabilities: dict[str, float]

    def line(self) -> str:
        """The answer for people, the path last."""
        return f"{self.probability:7.1%}  {self.label}  {self.path}"

    def cells(self) -> tuple[str, ...]:
        """The answer as the cells of a table, in the order of the decision's `columns`."""
        return self.label, f"{self.probability:.6f}"


@dataclass(frozen=True)
class MultiPrediction:
    """An answer: the classes whose probability reaches their threshold, and the probability of each class."""

    path: str
    labels: list[str]
    probabilities: dict[str, float]

    def line(self) -> str:
        """The classes with their probabilities, the path last."""
        found = ", ".join(f"{name} {self.probabilities[name]:.1%}" for name in self.labels)
        return f"{found or '(none)'}  {self.path}"

    def cells(self) -> tuple[str, ...]:
        """The classes in one cell, then each class's probability."""
        probabilities = (f"{p:.6f}" for p in self.probabilities.values())
        return multi.joined(self.labels, tuple(self.probabilities)), *probabilities


@dataclass(frozen=True)
class NumberPrediction:
    """An answer: the numbers by name, in the user's units."""

    path: str
    values: dict[str, float]

    def line(self) -> str:
        """The numbers, with their names where there are several; the path last."""
        if len(self.values) == 1:
            return f"{next(iter(self.values.values())):9.5g}  {self.path}"
        return f"{', '.join(f'{name} {value:.5g}' for name, value in self.values.items())}  {self.path}"

    def cells(self) -> tuple[str, ...]:
        """The numbers."""
        return tuple(f"{value:.6g}" for value in self.values.values())


AnyPrediction = Prediction | MultiPrediction | NumberPrediction


@dataclass(frozen=True)
class Decision:
    """One class. `temperature` divides the logits; 1 leaves them as they are."""

    temperature: float = 1.0

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Softmax in double precision, (N, K) -> (N, K); a row sums to 1."""
        scaled = logits.astype(np.float64) / self.temperature
        scaled -= scaled.max(axis=1, keepdims=True)
        exponentials = np.exp(scaled)
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))

    def outputs(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """The probabilities."""
        return self.probabilities(logits)

    def decided(self, outputs: NDArray[np.float64]) -> NDArray[np.int64]:
        """The most probable class, (N, K) -> (N,)."""
        return np.asarray(outputs.argmax(axis=1), np.int64)

    def answer(self, path: str, outputs: NDArray[np.float64], names: tuple[str, ...]) -> Prediction:
        best = int(outputs.argmax())
        return Prediction(path, names[best], float(outputs[best]), dict(zip(names, outputs.tolist(), strict=True)))

    def columns(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Of a table of answers."""
        return "label", "probability"


@dataclass(frozen=True)
class MultiDecision:
    """Any number of classes, each by itself: those whose probability reaches their threshold."""

    thresholds: tuple[float, ...] = ()

    @staticmethod
    def fitted(probabilities: NDArray[np.float64], labels: NDArray[np.uint8]) -> "MultiDecision":
        """The thresholds with the best F1 on labelled pictures (N, K); 0.5 for classes that too few of them carry."""
        return MultiDecision(tuple(best_threshold(p, y) for p, y in zip(probabilities.T, labels.T, strict=True)))

    def outputs(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Sigmoids in double precision, (N, K) -> (N, K)."""
        return np.asarray(0.5 * (1 + np.tanh(0.5 * logits.astype(np.float64))))  # overflows nowhere

    def decided(self, outputs: NDArray[np.float64]) -> NDArray[np.uint8]:
        """1 where a class's threshold is reached, (N, K)."""
        return (outputs >= np.array(self.thresholds)).astype(np.uint8)

    def answer(self, path: str, outputs: NDArray[np.float64], names: tuple[str, ...]) -> MultiPrediction:
        labels = [name for name, yes in zip(names, self.decided(outputs), strict=True) if yes]
        return MultiPrediction(path, labels, dict(zip(names, outputs.tolist(), strict=True)))

    def columns(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Of a table of answers."""
        return "labels", *(f"p_{name}" for name in names)


def best_threshold(probabilities: NDArray[np.float64], labels: NDArray[np.uint8]) -> float:
    """Half-way between the two probabilities (N,) where F1 is best if all above are answered yes."""
    num_positive = int(labels.sum())
    if min(num_positive, len(labels) - num_positive) < MIN_POSITIVES:
        return ONE_HALF
    order = np.argsort(-probabilities, kind="stable")
    sorted_p = probabilities[order]
    hits, answered = np.cumsum(labels[order]), np.arange(1, len(labels) + 1)
    f1 = 2 * hits / (answered + num_positive)
    can_cut = np.append(sorted_p[:-1] > sorted_p[1:], False)  # not between equals
    if not can_cut.any():
        return ONE_HALF
    best = int(np.where(can_cut, f1, -1).argmax())
    return float((sorted_p[best] + sorted_p[best + 1]) / 2)


@dataclass(frozen=True)
class NumberDecision:
    """Numbers: the network answers in standard deviations from the mean of the training pictures."""

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def outputs(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """In the user's units, (N, T) -> (N, T)."""
        return np.asarray(logits.astype(np.float64) * np.array(self.std) + np.array(self.mean))

    def decided(self, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """The numbers themselves."""
        return outputs

    def answer(self, path: str, outputs: NDArray[np.float64], names: tuple[str, ...]) -> NumberPrediction:
        return NumberPrediction(path, dict(zip(names, outputs.tolist(), strict=True)))

    def columns(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Of a table of answers."""
        return names


AnyDecision = Decision | MultiDecision | NumberDecision
_STORED: dict[str, type[MultiDecision] | type[NumberDecision]] = {"multi": MultiDecision, "number": NumberDecision}


def open_decision(task: str, values: Mapping[str, Any], num_names: int, where: str) -> AnyDecision:
    """The decision of a task from its stored values. Raises ConfigError where they do not fit."""
    if task == "single":
        return config.build(Decision, dict(values), where)
    if task not in _STORED:
        raise ConfigError(f"{where}: task {task!r} is not known; known: single, {', '.join(_STORED)}")
    decision = config.build(_STORED[task], dict(values), where)
    for name, numbers in asdict(decision).items():
        if len(numbers) != num_names or not np.isfinite(numbers).all():
            raise ConfigError(f"{where}: {name} = {list(numbers)}; there must be {num_names} numbers")
    return decision
