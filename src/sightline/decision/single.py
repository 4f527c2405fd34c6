"""One class a picture: calibrated probabilities, the most probable class."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.decision import answer_curve, temperature


@dataclass(frozen=True)
class Prediction:
    """An answer: the most probable class and the probability of each, in the run's class order."""

    path: str
    label: str
    probability: float
    probabilities: dict[str, float]
    familiarity: float | None = None
    doubt: str = ""

    def line(self) -> str:
        """The answer for people, the path last; where it is in doubt, what it would have been."""
        sure = self.doubt or f"{self.probability:.1%}"
        return f"{sure:>7}  {self.label}{'?' * bool(self.doubt)}  {self.path}"

    def cells(self) -> tuple[str, ...]:
        """The answer as the cells of a table, in the order of the decision's `columns`."""
        return self.label, f"{self.probability:.6f}"


@dataclass(frozen=True)
class Decision:
    """One class. `temperature` divides the logits, 1 leaves them as they are; `curve`: how often answers of some
    probability are right, where that is known better than by a temperature."""

    temperature: float = 1.0
    curve: tuple[float, ...] = ()

    @staticmethod
    def fitted(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> "Decision":
        """Calibrated by labelled pictures (N,) that did not train; as they are where these are too few."""
        if len(labels) < temperature.NUM_NEEDED:
            return Decision()
        plain = Decision(temperature.fitted(logits, labels))
        outputs = plain.outputs(logits)
        curve = answer_curve.fitted(outputs.max(axis=1), outputs.argmax(axis=1) == labels)
        return plain if curve == answer_curve.STRAIGHT else Decision(plain.temperature, curve)

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """In double precision, (N, K) -> (N, K); a row sums to 1, and its order is that of the logits."""
        scaled = logits.astype(np.float64) / self.temperature
        if self.curve:
            return answer_curve.applied(scaled, self.curve)
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
