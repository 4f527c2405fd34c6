"""One class a picture: calibrated probabilities, the most probable class."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
