"""The optimiser against torch's own classes, and the loss against hand-computed values."""

import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sightline.data.batches import Batch
from sightline.training.optimise import BETAS, Optimizer, _cross_entropy
from sightline.training.recipe import Recipe


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3)
    )


def theirs(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    groups = [
        {"params": [p for p in module.parameters() if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in module.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=0.05, momentum=recipe.momentum, nesterov=recipe.momentum > 0)
    kind = torch.optim.Adam if recipe.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, lr=0.05, betas=BETAS)


@pytest.mark.parametrize("changes", [{}, {"momentum": 0.0}, {"optimizer": "adam"}, {"optimizer": "adamw"}])
def test_it_moves_parameters_as_torch_does(changes: dict) -> None:
    recipe, ours, other = Recipe(weight_decay=0.01, **changes), network(), network()
    optimiser, reference = Optimizer(ours, recipe), theirs(other, recipe)
    for step in range(5):
        images = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(step))
        for module in (ours, other):
            module.zero_grad()
            module(images).square().mean().backward()
        optimiser.step(0.05)
        reference.step()
    for a, b in zip(ours.parameters(), other.parameters(), strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-6)


def test_parameters_without_gradients_stay() -> None:
    module = network()
    before = module[0].weight.clone()
    optimiser = Optimizer(module, Recipe())
    module[4](torch.ones(2, 4 * 36)).sum().backward()
    optimiser.step(0.1)
    assert torch.equal(module[0].weight, before)


def test_a_step_does_not_import_the_compiler() -> None:
    code = (
        "import sys, torch; from torch import nn; from sightline.training.optimise import Optimizer;"
        "from sightline.training.recipe import Recipe; n = nn.Linear(2, 2); o = Optimizer(n, Recipe());"
        "n(torch.ones(1, 2)).sum().backward(); o.step(0.1); o.zero_grad(); print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# The loss of mixed pictures

LABELS, PARTNERS = torch.tensor([0, 2, 1]), torch.tensor([1, 2, 0])
SHARES = torch.tensor([0.75, 0.4, 1.0])
LOGITS = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 3.0], [0.5, 0.0, -1.0]])


def batch(mixed: bool, shares: torch.Tensor = SHARES) -> Batch:
    more = (PARTNERS, shares) if mixed else ()
    return Batch(torch.zeros(3, 1, 1, 1), LABELS, np.arange(3), *more)


def test_a_mixed_pictures_loss_by_hand() -> None:
    """-0.75 log p0 - 0.25 log p1 for the first; the second's partner is of its own class; the third keeps its all."""
    p = LOGITS.softmax(1)
    expected = -(0.75 * p[0, 0].log() + 0.25 * p[0, 1].log() + p[1, 2].log() + p[2, 1].log()) / 3
    assert torch.allclose(_cross_entropy(LOGITS, batch(True), 0.0, None), expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_shared_labels_are_soft_targets(smoothing: float) -> None:
    """The other route: torch's cross-entropy of probabilities."""
    targets = SHARES[:, None] * F.one_hot(LABELS, 3) + (1 - SHARES[:, None]) * F.one_hot(PARTNERS, 3)
    expected = F.cross_entropy(LOGITS, targets, label_smoothing=smoothing)
    assert torch.allclose(_cross_entropy(LOGITS, batch(True), smoothing, None), expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 2.0, 1.0])])
def test_a_share_of_one_is_no_mixing(smoothing: float, weights: torch.Tensor | None) -> None:
    whole = _cross_entropy(LOGITS, batch(True, torch.ones(3)), smoothing, weights)
    assert torch.allclose(whole, _cross_entropy(LOGITS, batch(False), smoothing, weights))
    none = _cross_entropy(LOGITS, batch(True, torch.zeros(3)), smoothing, weights)
    assert torch.allclose(none, F.cross_entropy(LOGITS, PARTNERS, weights, label_smoothing=smoothing))


def test_a_class_that_weighs_nothing_leaves_only_its_partners_share() -> None:
    """Of the first picture only class 1 counts, by a quarter; the second and the third count 1 and 1."""
    weights, p = torch.tensor([0.0, 1.0, 1.0]), LOGITS.log_softmax(1)
    expected = -(0.25 * p[0, 1] + p[1, 2] + p[2, 1]) / 2.25
    assert torch.allclose(_cross_entropy(LOGITS, batch(True), 0.0, weights), expected)
