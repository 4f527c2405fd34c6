"""Any number of classes a picture: binary cross-entropies of sigmoids.

Training takes their mean over the classes, which bears the learning rates of cross-entropy: measured on four digits a
picture, ten classes, the sum came to a mean average precision of 0.45 after five epochs, the mean to 0.94. A head on
frozen features takes the sum: as many logistic regressions, each with the whole penalty.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from sightline.data.tasks import Labels, counts
from sightline.decision import MultiDecision
from sightline.decision.multi import ONE_HALF
from sightline.errors import ConfigError
from sightline.metrics import Sample, mean_average_precision
from sightline.training.objectives import FOCUS, Logits, Mixed, _lbfgs, blended
from sightline.training.recipe import Recipe

MAX_WEIGHT = 100.0  # of a picture that carries a rare class: one in a thousand must not rule the gradient


@dataclass(frozen=True)
class BinaryCrossEntropies:
    """`odds` (K,): training pictures without the class by those with it; `balance`: as of the Recipe.

    `smoothing` takes half of its share of certainty from yes, and half from no.
    """

    PENALTIES: ClassVar[tuple[float, ...]] = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.001)

    odds: Tensor
    balance: str = "none"
    smoothing: float = 0.0

    @property
    def num_classes(self) -> int:
        return len(self.odds)

    def loss(self, logits: Tensor, labels: Tensor, mixed: Mixed | None = None) -> Tensor:
        truth = blended(labels.to(logits.dtype), mixed) * (1 - self.smoothing) + 0.5 * self.smoothing
        odds = self.odds.to(logits)
        if self.balance == "weights":
            return F.binary_cross_entropy_with_logits(logits, truth, pos_weight=odds)
        if self.balance == "logit_adjustment":
            logits = logits - odds.log()
        losses = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
        if self.balance == "focal":
            losses = losses * (truth - logits.sigmoid()).abs() ** FOCUS
        return losses.mean()

    def distilled(self, logits: Tensor, taught: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, taught.sigmoid())

    def weight(self, labels: Tensor, mixed: Mixed | None = None) -> float:
        return float(len(labels))

    def solve(self, x: Tensor, labels: Tensor, penalties: tuple[float, ...]) -> list[tuple[Tensor, Tensor]]:
        """As many logistic regressions as there are classes, at once."""
        return _lbfgs.solve(x, self.num_classes, penalties, lambda logits: self.num_classes * self.loss(logits, labels))

    def held_out(self, logits: Tensor, labels: Tensor) -> float:
        return float(F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype), reduction="sum"))

    def selected(self, logits: Logits, labels: Labels) -> tuple[float, float | None]:
        loss = self.held_out(torch.from_numpy(logits).double(), torch.from_numpy(labels)) / labels.size
        outputs = self._halves().outputs(logits)
        sample = Sample(outputs, labels, self._halves().decided(outputs))
        each = mean_average_precision.of_each(sample, np.ones((1, len(labels))))
        return loss, None if np.isnan(each).all() else float(np.nanmean(each))

    def judged(self, logits: Logits, labels: Labels) -> NDArray[np.bool_]:
        """Yes or no to each class of each picture, by whether it is more probable than not."""
        return np.asarray(((logits > 0) == (labels > 0)).ravel())

    def kinds(self, labels: Labels) -> tuple[NDArray[np.int64], float]:
        """Each class, where it is and where it is not; blind: each class always, or never."""
        share = labels.mean(axis=0)
        kinds = 2 * np.arange(labels.shape[1]) + labels.astype(np.int64)
        return kinds.ravel(), float(np.maximum(share, 1 - share).mean())

    def decision(self, logits: Logits, labels: Labels) -> MultiDecision:
        """Calibrated, and with the thresholds that are best; 0.5 where there are no pictures."""
        return MultiDecision.fitted(logits, labels.astype(np.uint8)) if len(labels) else self._halves()

    def _halves(self) -> MultiDecision:
        return MultiDecision((ONE_HALF,) * self.num_classes)


def build(labels: NDArray[np.uint8], num_names: int, recipe: Recipe, by_class: bool = False) -> BinaryCrossEntropies:
    if recipe.balance == "sampling":
        raise ConfigError("balance = sampling: no picture of several labels is drawn for one of them; take weights")
    positives = counts(labels, num_names)
    odds = (len(labels) - positives) / np.maximum(positives, 1)
    limited = torch.from_numpy(odds).clamp(1 / MAX_WEIGHT, MAX_WEIGHT).float()
    return BinaryCrossEntropies(limited, recipe.balance, recipe.label_smoothing)
