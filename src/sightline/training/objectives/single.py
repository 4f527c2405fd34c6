"""One class a picture: cross-entropy of the softmax."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from sightline.data.tasks import Labels, counts
from sightline.decision import Decision
from sightline.metrics import Sample, accuracy, log_loss
from sightline.training.objectives import Logits, Mixed, _lbfgs
from sightline.training.recipe import Recipe


@dataclass(frozen=True)
class CrossEntropy:
    """`weights` (K,) of the classes, mean 1 over the training pictures, or None."""

    PENALTIES: ClassVar[tuple[float, ...]] = (1.0, 0.3, 0.1, 0.03, 0.01, 0.001)

    weights: Tensor | None
    smoothing: float
    num_classes: int

    def loss(self, logits: Tensor, labels: Tensor, mixed: Mixed | None = None) -> Tensor:
        """A mixed picture's is that of its own label and of its partner's, in their shares (Zhang et al., 2018)."""
        weights = None if self.weights is None else self.weights.to(logits.device)
        if mixed is None:
            return F.cross_entropy(logits, labels, weights, label_smoothing=self.smoothing)
        partners, shares = mixed
        own, other = (
            F.cross_entropy(logits, truth, weights, label_smoothing=self.smoothing, reduction="none")
            for truth in (labels, partners)
        )
        losses = shares * own + (1 - shares) * other
        if weights is None:
            return losses.mean()
        return losses.sum() / (shares * weights[labels] + (1 - shares) * weights[partners]).sum()

    def weight(self, labels: Tensor, mixed: Mixed | None = None) -> float:
        if self.weights is None:
            return float(len(labels))
        weights = self.weights.to(labels.device)
        if mixed is None:
            return float(weights[labels].sum())
        partners, shares = mixed
        return float((shares * weights[labels] + (1 - shares) * weights[partners]).sum())

    def solve(self, x: Tensor, labels: Tensor, penalties: tuple[float, ...]) -> list[tuple[Tensor, Tensor]]:
        """A multinomial regression."""
        return _lbfgs.solve(x, self.num_classes, penalties, lambda logits: self.loss(logits, labels))

    def held_out(self, logits: Tensor, labels: Tensor) -> float:
        return float(F.cross_entropy(logits, labels, reduction="sum"))

    def selected(self, logits: Logits, labels: Labels) -> tuple[float, float]:
        decision = Decision()
        probabilities = decision.outputs(logits)
        sample = Sample(probabilities, labels, decision.decided(probabilities))
        return log_loss.measure(sample), accuracy.measure(sample).value

    def judged(self, logits: Logits, labels: Labels) -> NDArray[np.bool_]:
        return np.asarray(logits.argmax(axis=1) == labels)

    def kinds(self, labels: Labels) -> tuple[NDArray[np.int64], float]:
        """The classes; the commonest is the blind guess."""
        return labels.astype(np.int64), float(counts(labels, self.num_classes).max()) / len(labels)

    def decision(self, answers: Callable[[], tuple[Logits, Labels]]) -> Decision:
        return Decision()


def build(labels: NDArray[np.int64], num_names: int, recipe: Recipe) -> CrossEntropy:
    weights = None if recipe.class_weights == "none" else class_weights(counts(labels, num_names))
    return CrossEntropy(weights, recipe.label_smoothing, num_names)


def class_weights(counts: NDArray[np.int64]) -> Tensor:
    """(K,) weights by which each class weighs the same, mean 1 over the training pictures."""
    return torch.from_numpy(counts.sum() / (len(counts) * np.maximum(counts, 1))).float()
