"""Numbers, in the user's units."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class NumberPrediction:
    """An answer: the numbers by name, in the user's units."""

    path: str
    values: dict[str, float]
    familiarity: float | None = None
    doubt: str = ""

    def line(self) -> str:
        """The numbers, with their names where there are several; the path last."""
        path = f"{self.doubt}  {self.path}" if self.doubt else self.path
        if len(self.values) == 1:
            return f"{next(iter(self.values.values())):9.5g}  {path}"
        return f"{', '.join(f'{name} {value:.5g}' for name, value in self.values.items())}  {path}"

    def cells(self) -> tuple[str, ...]:
        """The numbers."""
        return tuple(f"{value:.6g}" for value in self.values.values())


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
