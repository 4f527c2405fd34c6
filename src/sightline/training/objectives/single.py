"""One class a picture: cross-entropy of the softmax, which may make up for classes of different sizes."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from sightline.data.tasks import Labels, counts
from sightline.decision import Decision
from sightline.metrics import Sample, accuracy, log_loss
from sightline.training.objectives import FOCUS, Logits, Mixed, _lbfgs
from sightline.training.recipe import Recipe

TEMPERATURE = 2.0  # of what a teacher and its pupil know


@dataclass(frozen=True)
class CrossEntropy:
    """`sizes` (K,): the number of training pictures of each class, 1 where there are none; `balance`: as of the Recipe.

    `by_class`: losses that choose something count every class the same.
    """

    PENALTIES: ClassVar[tuple[float, ...]] = (1.0, 0.3, 0.1, 0.03, 0.01, 0.001)

    sizes: Tensor
    balance: str = "none"
    smoothing: float = 0.0
    by_class: bool = False

    def loss(self, logits: Tensor, labels: Tensor, mixed: Mixed | None = None) -> Tensor:
        """A mixed picture's is that of its own label and of its partner's, in their shares (Zhang et al., 2018)."""
        if self.balance == "logit_adjustment":
            logits = logits + self.sizes.log().to(logits)
        losses = self._each(logits, labels)
        if mixed is not None:
            partners, shares = mixed
            losses = shares * losses + (1 - shares) * self._each(logits, partners)
        return losses.sum() / self._total(labels, mixed)

    def _each(self, logits: Tensor, labels: Tensor) -> Tensor:
        """(N,), before the mean."""
        weights = self._weights.to(logits) if self.balance == "weights" else None
        losses = F.cross_entropy(logits, labels, weights, label_smoothing=self.smoothing, reduction="none")
        if self.balance == "focal":
            known = logits.log_softmax(1).gather(1, labels[:, None])[:, 0].exp()
            losses = (1 - known) ** FOCUS * losses
        return losses

    def distilled(self, logits: Tensor, taught: Tensor) -> Tensor:
        """At a TEMPERATURE, which lets small probabilities speak (Hinton et al., 2015)."""
        ours, theirs = ((values / TEMPERATURE).log_softmax(1) for values in (logits, taught))
        return TEMPERATURE**2 * F.kl_div(ours, theirs, reduction="batchmean", log_target=True)

    def weight(self, labels: Tensor, mixed: Mixed | None = None) -> float:
        return float(self._total(labels, mixed))

    def _total(self, labels: Tensor, mixed: Mixed | None) -> Tensor | int:
        """`weight`, where the labels are: a GPU need not be waited for."""
        if self.balance != "weights":
            return len(labels)
        weights = self._weights.to(labels.device)
        if mixed is None:
            return weights[labels].sum()
        partners, shares = mixed
        return (shares * weights[labels] + (1 - shares) * weights[partners]).sum()

    def solve(self, x: Tensor, labels: Tensor, penalties: tuple[float, ...]) -> list[tuple[Tensor, Tensor]]:
        """A multinomial regression, on all pictures: those that are not drawn equally often are weighed instead."""
        weighed = replace(self, balance="weights") if self.balance == "sampling" else self
        return _lbfgs.solve(x, len(self.sizes), penalties, lambda logits: weighed.loss(logits, labels))

    def held_out(self, logits: Tensor, labels: Tensor) -> float:
        weights = self._weights.to(logits) if self.by_class else None
        return float(F.cross_entropy(logits, labels, weights, reduction="sum"))

    def selected(self, logits: Logits, labels: Labels) -> tuple[float, float]:
        decision = Decision()
        probabilities = decision.outputs(logits)
        sample = Sample(probabilities, labels, decision.decided(probabilities))
        figure = accuracy.measure(sample).value
        if not self.by_class:
            return log_loss.measure(sample), figure
        own = [labels == k for k in np.unique(labels)]
        return float(np.mean([log_loss.measure(Sample(probabilities[k], labels[k], labels[k])) for k in own])), figure

    def judged(self, logits: Logits, labels: Labels) -> NDArray[np.bool_]:
        return np.asarray(logits.argmax(axis=1) == labels)

    def kinds(self, labels: Labels) -> tuple[NDArray[np.int64], float]:
        """The classes; the commonest is the blind guess."""
        return labels.astype(np.int64), float(counts(labels, len(self.sizes)).max()) / len(labels)

    def decision(self, logits: Logits, labels: Labels) -> Decision:
        """Calibrated, where there are enough pictures for it."""
        return Decision.fitted(logits, labels.astype(np.int64))

    @cached_property
    def _weights(self) -> Tensor:
        """(K,) by which each class weighs the same, mean 1 over the training pictures."""
        return self.sizes.sum() / (len(self.sizes) * self.sizes)


def build(labels: NDArray[np.int64], num_names: int, recipe: Recipe, by_class: bool = False) -> CrossEntropy:
    sizes = torch.from_numpy(np.maximum(counts(labels, num_names), 1)).float()
    return CrossEntropy(sizes, recipe.balance, recipe.label_smoothing, by_class or recipe.balance != "none")
