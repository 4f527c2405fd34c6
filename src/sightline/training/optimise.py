"""The step: loss, gradients, optimiser, learning rate. Comes in: a Network and a Recipe; must not know files.

Weight decay is kept off biases and normalisation (Goyal et al., 2017); it is decoupled in AdamW alone.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from sightline.data.batches import Batch
from sightline.data.preprocess import Preprocessing
from sightline.engines.torch import normalised
from sightline.models import Network
from sightline.training.plan import Plan
from sightline.training.recipe import Recipe


def optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            groups,
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            nesterov=recipe.momentum > 0,
            fused=True,
        )
    kind = torch.optim.Adam if recipe.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, lr=recipe.learning_rate, fused=True)


def rate_factor(recipe: Recipe, done: float) -> float:
    """Share of the peak learning rate when the share `done` of the steps, in [0, 1), is behind.

    Both schedules rise in a straight line over the warm-up (Smith, 2018); then `one_cycle` falls in a
    straight line to zero, `cosine` in half a wave (Loshchilov and Hutter, 2017).
    """
    if done < recipe.warmup:
        return max(done / recipe.warmup, 0.01)
    rest = (done - recipe.warmup) / (1 - recipe.warmup)
    return 1 - rest if recipe.schedule == "one_cycle" else 0.5 * (1 + math.cos(math.pi * rest))


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


def class_weights(recipe: Recipe, counts: NDArray[np.int64]) -> Tensor | None:
    """(K,) weights of the loss, mean 1 over the training pictures; None where every picture weighs the same."""
    if recipe.class_weights == "none":
        return None
    return torch.from_numpy(counts.sum() / (len(counts) * np.maximum(counts, 1))).float()


def loss_of(
    network: Network,
    batch: Batch,
    recipe: Recipe,
    preprocessing: Preprocessing,
    plan: Plan,
    weights: Tensor | None,
) -> Tensor:
    """Cross-entropy of a batch, that of auxiliary heads added with their weights."""
    device = next(network.parameters()).device
    images = normalised(batch.images.to(device), preprocessing, plan.channels_last)
    labels = batch.labels.to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=plan.precision == "bfloat16"):
        logits, auxiliary = network.training_logits(images)

    def cross_entropy(logits: Tensor) -> Tensor:
        return F.cross_entropy(logits.float(), labels, weights, label_smoothing=recipe.label_smoothing)

    loss = cross_entropy(logits)
    for aux_logits, share in auxiliary:
        loss = loss + share * cross_entropy(aux_logits)
    return loss
