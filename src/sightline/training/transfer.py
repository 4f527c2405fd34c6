"""Fitting a new head on a frozen, pretrained network. Comes in: a Network; goes out: the same, its head fitted.

Features of every training picture are computed once, over a few augmented views, and the head is a regularised
multinomial regression on them, solved by L-BFGS; its regularisation is the one with the best selection loss.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sightline.data.batches import Batches
from sightline.engines.torch import TorchEngine, normalised
from sightline.training.optimise import class_weights
from sightline.training.prepare import Selection
from sightline.training.progress import Progress
from sightline.training.recipe import Recipe
from sightline.training.safe import SafetyProbe

# Strengths of the squared-norm penalty that are tried, on standardised features.
PENALTIES = (1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)
MAX_ITERATIONS = 60


@dataclass(frozen=True)
class Features:
    """x (N, D), standardised; y (N,)."""

    x: Tensor
    y: Tensor


def fit_head(
    engine: TorchEngine, batches: Batches, selection: Selection, recipe: Recipe, progress: Progress
) -> Batches:
    """Fit the head in place; the batches come back with the augmentations found safe. The first view is unaugmented."""
    plain = replace(batches, augmentations=())
    views = [_features(engine, plain, 0, progress, "features, as they are")]
    chosen = _selection_features(engine, selection)
    _solve_and_set(engine, views, chosen, recipe, batches)
    batches = SafetyProbe(recipe.augment_if_safe, batches.seed).update(engine, selection, batches, 0.0, progress.say)
    for view in range(1, recipe.head_views):
        views.append(_features(engine, batches, view, progress, f"features, view {view + 1} of {recipe.head_views}"))
    if len(views) > 1:
        penalty = _solve_and_set(engine, views, chosen, recipe, batches)
        progress.say(f"head fitted on {sum(len(v.y) for v in views):,} feature vectors, penalty {penalty:g}")
    return batches


def _features(engine: TorchEngine, batches: Batches, view: int, progress: Progress, what: str) -> Features:
    x, y = [], []
    total = -(-len(batches.rows) // batches.batch_size)
    engine.network.eval()
    with torch.inference_mode():
        for batch in progress.track(batches.in_order(view), total, what):
            images = normalised(batch.images.to(engine.device), batches.preprocessing, engine.config.channels_last)
            x.append(engine.network.features(images).float().cpu())
            y.append(batch.labels)
    return Features(torch.cat(x), torch.cat(y))


def _selection_features(engine: TorchEngine, selection: Selection) -> Features:
    x, size = [], engine.batch_size
    engine.network.eval()
    with torch.inference_mode():
        for i in range(0, len(selection.pictures), size):
            pixels = torch.from_numpy(selection.pictures[i : i + size]).permute(0, 3, 1, 2).to(engine.device)
            images = normalised(pixels, engine.config.preprocessing, engine.config.channels_last)
            x.append(engine.network.features(images).float().cpu())
    return Features(torch.cat(x) if x else torch.empty(0), torch.from_numpy(selection.labels))


def _solve_and_set(
    engine: TorchEngine, views: list[Features], chosen: Features, recipe: Recipe, batches: Batches
) -> float:
    """Solve for each penalty, keep the best on the selection split, write it into the head. Returns the penalty."""
    x, y = torch.cat([v.x for v in views]).clone(), torch.cat([v.y for v in views])
    mean, std = x.mean(0), x.std(0).clamp_min(1e-3 * float(x.std()) + 1e-12)
    head, num_classes = engine.network.head, engine.network.num_classes
    weights = class_weights(recipe, np.bincount(y.numpy(), minlength=num_classes))
    train, best = Features((x - mean) / std, y), (float("inf"), PENALTIES[2], torch.empty(0), torch.empty(0))
    w, b = torch.zeros(num_classes, x.shape[1]), torch.zeros(num_classes)
    for penalty in sorted(PENALTIES, reverse=True) if len(chosen.y) else (PENALTIES[2],):
        w, b = _solve(train, w, b, penalty, recipe.label_smoothing, weights)  # from the last, stronger penalty's
        loss = float(F.cross_entropy((chosen.x - mean) / std @ w.T + b, chosen.y)) if len(chosen.y) else 0.0
        if loss < best[0]:
            best = (loss, penalty, w, b)
    _, penalty, w, b = best
    with torch.no_grad():
        head.weight.copy_((w / std).reshape(head.weight.shape))
        assert head.bias is not None
        head.bias.copy_(b - (w / std) @ mean)
    return penalty


def _solve(
    train: Features, w: Tensor, b: Tensor, penalty: float, smoothing: float, class_weight: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Minimise cross-entropy + penalty / 2 * |W|^2 from (w, b) on: (K, D), (K,)."""
    w, b = w.clone().requires_grad_(), b.clone().requires_grad_()
    solver = torch.optim.LBFGS([w, b], max_iter=MAX_ITERATIONS, history_size=10, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        solver.zero_grad()
        loss = F.cross_entropy(train.x @ w.T + b, train.y, class_weight, label_smoothing=smoothing)
        loss = loss + 0.5 * penalty * w.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    solver.step(closure)  # type: ignore[no-untyped-call]
    return w.detach(), b.detach()
