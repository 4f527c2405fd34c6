"""Any number of classes a picture: a calibrated probability for each, and the classes whose threshold it reaches."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sightline.data.tasks import multi
from sightline.decision import platt
from sightline.decision.logistic import sigmoid
from sightline.decision.temperature import NUM_NEEDED

# A threshold chosen on fewer pictures that carry the class than this would be luck; it stays at one half.
MIN_POSITIVES = 10
ONE_HALF = 0.5


@dataclass(frozen=True)
class MultiPrediction:
    """An answer: the classes whose probability reaches their threshold, and the probability of each class."""

    path: str
    labels: list[str]
    probabilities: dict[str, float]
    familiarity: float | None = None
    doubt: str = ""

    def line(self) -> str:
        """The classes with their probabilities, the path last."""
        found = ", ".join(f"{name} {self.probabilities[name]:.1%}" for name in self.labels)
        return f"{self.doubt and f'{self.doubt}  '}{found or '(none)'}  {self.path}"

    def cells(self) -> tuple[str, ...]:
        """The classes in one cell, then each class's probability."""
        probabilities = (f"{p:.6f}" for p in self.probabilities.values())
        return multi.joined(self.labels, tuple(self.probabilities)), *probabilities


@dataclass(frozen=True)
class MultiDecision:
    """Any number of classes, each by itself: those whose probability reaches their threshold.

    thresholds            (K,) of probabilities
    temperatures, biases  (K,) by which a logit z becomes z / temperature + bias; none where nothing was calibrated
    """

    thresholds: tuple[float, ...] = ()
    temperatures: tuple[float, ...] = ()
    biases: tuple[float, ...] = ()

    @staticmethod
    def fitted(logits: NDArray[np.float32], labels: NDArray[np.uint8]) -> "MultiDecision":
        """By labelled pictures (N, K): calibrated, where there are enough, and with the thresholds of the best F1.

        Thresholds are 0.5 for classes that too few of them carry.
        """
        plain = MultiDecision((ONE_HALF,) * labels.shape[1])
        if len(labels) >= NUM_NEEDED:
            temperatures, biases = platt.fitted(logits, labels)
            plain = replace(plain, temperatures=tuple(temperatures.tolist()), biases=tuple(biases.tolist()))
        columns = zip(plain.outputs(logits).T, labels.T, strict=True)
        return replace(plain, thresholds=tuple(best_threshold(p, y) for p, y in columns))

    def outputs(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities in double precision, (N, K) -> (N, K)."""
        scaled = logits.astype(np.float64)
        if self.temperatures:
            scaled = scaled / np.array(self.temperatures) + np.array(self.biases)
        return sigmoid(scaled)

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
