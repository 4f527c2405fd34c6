"""Numbers: Huber's loss in standard deviations of the training pictures' numbers (Huber, 1964), the mean over them.

Up to one standard deviation an error counts squared, beyond it in proportion: a value that was mistyped by a factor of
ten must not rule the gradient. A head on frozen features is a ridge regression, which has a closed form.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from sightline.data.tasks import Labels
from sightline.decision import NumberDecision
from sightline.errors import ConfigError
from sightline.metrics import Sample, r2_each
from sightline.training.objectives import Logits, Mixed, blended
from sightline.training.recipe import Recipe

NUM_KINDS = 4  # ranges in which augmentations are judged by themselves
CLOSE = 0.5  # mean absolute deviations: an answer nearer than this counts as right when augmentations are judged


@dataclass(frozen=True)
class Huber:
    """mean, std (T,): of the numbers that train; median (T,) and spread (T,), their mean distance from it."""

    # Squares are curved four times as much as logistic losses and more, so the penalties reach further.
    PENALTIES: ClassVar[tuple[float, ...]] = (100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.001)

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    median: NDArray[np.float64]
    spread: NDArray[np.float64]

    def loss(self, logits: Tensor, labels: Tensor, mixed: Mixed | None = None) -> Tensor:
        return F.huber_loss(logits, self._scaled(blended(labels, mixed)).to(logits))

    def distilled(self, logits: Tensor, taught: Tensor) -> Tensor:
        return self.loss(logits, taught)

    def weight(self, labels: Tensor, mixed: Mixed | None = None) -> float:
        return float(len(labels))

    def solve(self, x: Tensor, labels: Tensor, penalties: tuple[float, ...]) -> list[tuple[Tensor, Tensor]]:
        """Ridge regressions: the least mean squared error + penalty * |W|^2, by the eigenvectors of x'x."""
        truth = self._scaled(labels)
        features = x.double()
        centre, offset = features.mean(0), truth.mean(0)
        centred = features - centre
        values, vectors = torch.linalg.eigh(centred.T @ centred / len(x))
        projected = vectors.T @ (centred.T @ (truth - offset) / len(x))  # (D, T)
        found = []
        for penalty in penalties:
            w = (vectors @ (projected / (values.clamp_min(0) + penalty)[:, None])).T
            found.append((w.float(), (offset - w @ centre).float()))
        return found

    def held_out(self, logits: Tensor, labels: Tensor) -> float:
        return float((logits.double() - self._scaled(labels)).square().sum())

    def selected(self, logits: Logits, labels: Labels) -> tuple[float, float | None]:
        loss = float(self.loss(torch.from_numpy(logits).double(), torch.from_numpy(labels)))
        sample = Sample(self._decision().outputs(logits), labels, self._decision().outputs(logits))
        figure = float(r2_each.explained(sample, np.ones((1, len(labels)))).mean())
        return loss, None if np.isnan(figure) else figure

    def judged(self, logits: Logits, labels: Labels) -> NDArray[np.bool_]:
        """Whether each number is close."""
        return np.asarray((abs(self._decision().outputs(logits) - labels) <= CLOSE * self.spread).ravel())

    def kinds(self, labels: Labels) -> tuple[NDArray[np.int64], float]:
        """Ranges of each number; blind: always the median of the training pictures."""
        kinds = np.empty(labels.shape, np.int64)
        for t, column in enumerate(labels.T):
            edges = np.quantile(column, np.linspace(0, 1, NUM_KINDS + 1)[1:-1])
            kinds[:, t] = NUM_KINDS * t + np.searchsorted(edges, column)
        return kinds.ravel(), float((abs(labels - self.median) <= CLOSE * self.spread).mean())

    def decision(self, logits: Logits, labels: Labels) -> NumberDecision:
        return self._decision()

    def _decision(self) -> NumberDecision:
        return NumberDecision(tuple(self.mean.tolist()), tuple(self.std.tolist()))

    def _scaled(self, labels: Tensor) -> Tensor:
        """In standard deviations from the mean, (N, T) float64."""
        mean, std = (torch.from_numpy(v).to(labels.device) for v in (self.mean, self.std))
        return (labels.double() - mean) / std


def build(labels: NDArray[np.float64], num_names: int, recipe: Recipe, by_class: bool = False) -> Huber:
    for name, value, default in (
        ("label_smoothing", recipe.label_smoothing, 0.0),
        ("balance", recipe.balance, "none"),
    ):
        if value != default:
            raise ConfigError(f"{name} = {value}: numbers have no classes; leave it at {default}")
    median = np.median(labels, axis=0)
    return Huber(labels.mean(axis=0), labels.std(axis=0), median, abs(labels - median).mean(axis=0))
