"""Fitting a new head on a frozen, pretrained network. Comes in: a Network; goes out: the same, its head fitted.

Features of every training picture are computed once, and the head is a regularised multinomial regression on them,
solved by L-BFGS; how strongly it is regularised is chosen by cross-validation on the training pictures.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sightline.data.batches import Batches
from sightline.engines.torch import TorchEngine, normalised
from sightline.training.optimise import class_weights
from sightline.training.progress import Progress
from sightline.training.recipe import Recipe

# Strengths of the squared-norm penalty that are tried, on standardised features.
PENALTIES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.001)
NUM_FOLDS = 5
MAX_CROSS_VALIDATED = 5_000  # pictures; more would choose no better
MAX_ITERATIONS = 60


@dataclass(frozen=True)
class Features:
    """x (N, D), standardised; y (N,)."""

    x: Tensor
    y: Tensor

    def at(self, rows: Tensor) -> "Features":
        return Features(self.x[rows], self.y[rows])


def fit_head(engine: TorchEngine, batches: Batches, recipe: Recipe, progress: Progress) -> None:
    """Fit the linear head of the engine's network, in place, on its features of the unaugmented pictures."""
    raw = _features(engine, replace(batches, augmentations=()), progress)
    mean, std = raw.x.mean(0), raw.x.std(0).clamp_min(1e-3 * float(raw.x.std()) + 1e-12)
    train = Features((raw.x - mean) / std, raw.y)
    num_classes = engine.network.num_classes
    weights = class_weights(recipe, np.bincount(train.y.numpy(), minlength=num_classes))
    penalty = _choose_penalty(train, num_classes, recipe.label_smoothing, weights)
    w, b = _solve(train, num_classes, (penalty,), recipe.label_smoothing, weights)[0]
    head = engine.network.head
    with torch.no_grad():
        head.weight.copy_(w / std)
        assert head.bias is not None
        head.bias.copy_(b - (w / std) @ mean)
    progress.say(f"Head: fitted on the features of {len(train.y):,} pictures, penalty {penalty:g} by cross-validation")


def _features(engine: TorchEngine, batches: Batches, progress: Progress) -> Features:
    x, y = list[Tensor](), list[Tensor]()
    total = -(-len(batches.rows) // batches.batch_size)
    engine.network.eval()
    with torch.inference_mode():
        for batch in progress.track(batches.in_order(0), total, "features"):
            images = normalised(batch.images.to(engine.device), batches.preprocessing, engine.config.channels_last)
            x.append(engine.network.features(images).float().cpu())
            y.append(batch.labels)
    return Features(torch.cat(x).clone(), torch.cat(y))


def _choose_penalty(train: Features, num_classes: int, smoothing: float, weights: Tensor | None) -> float:
    """The penalty with the least cross-validated loss."""
    order = torch.randperm(len(train.y), generator=torch.Generator().manual_seed(0))[:MAX_CROSS_VALIDATED]
    losses = np.zeros(len(PENALTIES))
    for held_out in order.chunk(min(NUM_FOLDS, len(order))):
        rest = order[~torch.isin(order, held_out)]
        test = train.at(held_out)
        for i, (w, b) in enumerate(_solve(train.at(rest), num_classes, PENALTIES, smoothing, weights)):
            losses[i] += float(F.cross_entropy(test.x @ w.T + b, test.y, reduction="sum"))
    return PENALTIES[int(losses.argmin())]


def _solve(
    train: Features, num_classes: int, penalties: tuple[float, ...], smoothing: float, weights: Tensor | None
) -> list[tuple[Tensor, Tensor]]:
    """Minimise cross-entropy + penalty / 2 * |W|^2 for each penalty, each from the last one's (W, b): (K, D), (K,)."""
    w = torch.zeros(num_classes, train.x.shape[1], requires_grad=True)
    b = torch.zeros(num_classes, requires_grad=True)
    found = []
    for penalty in penalties:
        solver = torch.optim.LBFGS([w, b], max_iter=MAX_ITERATIONS, history_size=10, line_search_fn="strong_wolfe")

        def closure(solver: torch.optim.LBFGS = solver, penalty: float = penalty) -> Tensor:
            solver.zero_grad()
            loss = F.cross_entropy(train.x @ w.T + b, train.y, weights, label_smoothing=smoothing)
            loss = loss + 0.5 * penalty * w.square().sum()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        solver.step(closure)  # type: ignore[no-untyped-call]
        found.append((w.detach().clone(), b.detach().clone()))
    return found
