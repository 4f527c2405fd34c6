"""Fitting a new head on a frozen, pretrained network. Comes in: a Network; goes out: the same, its head fitted.

Features of every training picture are computed once, and the head is a regularised linear model on them, solved by the
task's objective; how strongly it is regularised is chosen by cross-validation on the training pictures.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.data.batches import Batches
from sightline.data.packs.cache import Cache
from sightline.engines.torch import TorchEngine
from sightline.training import features
from sightline.training.objectives import Objective
from sightline.training.progress import Progress

NUM_FOLDS = 5
MAX_CROSS_VALIDATED = 5_000  # pictures; more would choose no better


@dataclass(frozen=True)
class Features:
    """x (N, D), standardised; y, labels of the task (N,) or (N, K)."""

    x: Tensor
    y: Tensor

    def at(self, rows: Tensor) -> "Features":
        return Features(self.x[rows], self.y[rows])


def fit_head(
    engine: TorchEngine,
    batches: Batches,
    objective: Objective,
    progress: Progress,
    hashes: NDArray[np.void],
    cache: Cache | None,
) -> tuple[float, str]:
    """Fit the linear head of the engine's network, in place, on its features of the unaugmented pictures.

    `hashes`: of the pixels of each row of the data set, by which features are kept in the cache. Goes out: the loss on
    these pictures, without the penalty, and a sentence of what computed the features.
    """
    computed = features.compute(engine, batches, hashes, cache, progress)
    progress.say(f"Features: {computed.sentence}")
    x, y = torch.from_numpy(computed.features), torch.from_numpy(batches.dataset.labels[batches.rows])
    mean, std = x.mean(0), x.std(0).clamp_min(1e-3 * float(x.std()) + 1e-12)
    train = Features((x - mean) / std, y)
    penalty = _choose_penalty(train, objective)
    w, b = objective.solve(train.x, train.y, (penalty,))[0]
    head = engine.network.head
    with torch.no_grad():
        head.weight.copy_(w / std)
        assert head.bias is not None
        head.bias.copy_(b - (w / std) @ mean)
    progress.say(f"Head: fitted on the features of {len(train.y):,} pictures, penalty {penalty:g} by cross-validation")
    return float(objective.loss(train.x @ w.T + b, train.y)), computed.sentence


def _choose_penalty(train: Features, objective: Objective) -> float:
    """The penalty with the least cross-validated loss."""
    order = torch.randperm(len(train.y), generator=torch.Generator().manual_seed(0))[:MAX_CROSS_VALIDATED]
    losses = np.zeros(len(objective.PENALTIES))
    for held_out in order.chunk(min(NUM_FOLDS, len(order))):
        rest = order[~torch.isin(order, held_out)]
        test = train.at(held_out)
        for i, (w, b) in enumerate(objective.solve(train.x[rest], train.y[rest], objective.PENALTIES)):
            losses[i] += objective.held_out(test.x @ w.T + b, test.y)
    return objective.PENALTIES[int(losses.argmin())]
