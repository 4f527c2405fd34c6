"""The optimiser against torch's own classes."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from sightline.training.optimise import BETAS, Optimizer
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
        "o.backward(n(torch.ones(1, 2)).sum()); o.step(0.1); print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
