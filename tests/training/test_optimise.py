"""The optimiser against torch's own classes."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from sightline import models
from sightline.errors import ConfigError
from sightline.training import muon
from sightline.training.optimise import BESIDE_MUON, BETAS, BETAS_BESIDE_MUON, Optimizer
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


def test_stages_further_from_the_head_move_less() -> None:
    torch.manual_seed(0)
    module = models.build("simple_cnn", 3, 1, (28, 28), {"depth": 2, "width": 4, "dense": 0})
    before = {name: p.clone() for name, p in module.named_parameters()}
    for p in module.parameters():
        p.grad = torch.ones_like(p)
    Optimizer(module, Recipe(momentum=0.0, weight_decay=0.0, layer_decay=0.5)).step(0.1)
    moved = {name: (before[name] - p).mean().item() for name, p in module.named_parameters()}
    shares = sorted({round(step / 0.1, 4) for step in moved.values()})
    assert shares == [0.25, 0.5, 1.0]
    assert moved["body.classifier.head.weight"] == pytest.approx(0.1) and moved[
        "body.features.conv1.weight"
    ] == pytest.approx(0.025)


def test_gradients_are_clipped_together() -> None:
    module = network()
    before = [p.clone() for p in module.parameters()]
    for p in module.parameters():
        p.grad = torch.full_like(p, 3.0)
    Optimizer(module, Recipe(momentum=0.0, weight_decay=0.0, clip_norm=0.5)).step(1.0)
    steps = torch.cat([(a - b).flatten() for a, b in zip(before, module.parameters(), strict=True)])
    assert steps.norm().item() == pytest.approx(0.5, rel=1e-4)


def test_uphill_is_along_the_gradient_and_back() -> None:
    module = network()
    optimiser, before = Optimizer(module, Recipe()), [p.clone() for p in module.parameters()]
    optimiser.backward(module(torch.ones(2, 1, 8, 8)).square().mean())
    gradients = torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None])
    with optimiser.uphill(0.3):
        there = torch.cat([(b - a).flatten() for a, b in zip(before, module.parameters(), strict=True)])
        torch.testing.assert_close(there, 0.3 * gradients / gradients.norm(), rtol=1e-3, atol=1e-6)
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))


def test_a_step_does_not_import_the_compiler() -> None:
    code = (
        "import sys, torch; from torch import nn; from sightline.training.optimise import Optimizer;"
        "from sightline.training.recipe import Recipe; n = nn.Linear(2, 2); o = Optimizer(n, Recipe());"
        "o.backward(n(torch.ones(1, 2)).sum()); o.step(0.1); print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("shape", [(16, 16), (8, 72), (64, 18)])
def test_orthogonal_brings_singular_values_near_one(shape: tuple[int, int]) -> None:
    """Roughly: what three steps leave of the smallest is less. The singular vectors stay."""
    torch.manual_seed(0)
    matrix = torch.randn(shape)
    found = muon.orthogonal(matrix)
    before, after = torch.linalg.svdvals(matrix), torch.linalg.svdvals(found)
    assert found.shape == matrix.shape and found.dtype == torch.float32
    assert after.max() < 1.3 and after.median() > 0.6
    assert after.max() / after.median() < before.max() / before.median() + 0.1
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    inner = u.T @ found @ v.T
    assert (inner - inner.diagonal().diag()).abs().max() < 0.1


def test_muon_turns_filters_by_the_rate_whatever_the_gradient() -> None:
    for size in (1e-4, 1.0, 1e4):
        torch.manual_seed(1)
        filters, gradient = torch.randn(16, 8, 3, 3), size * torch.randn(16, 8, 3, 3)
        before = filters.clone()
        muon.step([filters], [gradient], [torch.zeros_like(filters)], rate=0.1, momentum=0.6)
        cosine = torch.nn.functional.cosine_similarity(before.flatten(), filters.flatten(), dim=0)
        assert 0.05 < torch.acos(cosine) < 0.15
        assert ((filters - before / before.norm() * 4) * gradient).sum() < 0, "against the gradient"


def test_muon_is_for_filters_and_adamw_for_the_rest() -> None:
    recipe, ours, other = Recipe(optimizer="muon", learning_rate=0.24, weight_decay=0.5), network(), network()
    optimiser = Optimizer(ours, recipe)
    rest = [p for p in other.parameters() if p.ndim != 4]
    groups = [
        {"params": [p for p in rest if p.ndim == 2], "weight_decay": 0.5},
        {"params": [p for p in rest if p.ndim == 1], "weight_decay": 0.0},
    ]
    reference = torch.optim.AdamW(groups, lr=0.24 * BESIDE_MUON, betas=BETAS_BESIDE_MUON)
    for step in range(3):
        images = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(step))
        for module in (ours, other):
            module.zero_grad()
            module(images).square().mean().backward()
        optimiser.step(0.24)
        reference.step()
        with torch.no_grad():
            other[0].weight.copy_(ours[0].weight)
    for a, b in zip(ours.parameters(), other.parameters(), strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-6)
    assert ours[0].weight.norm().item() == pytest.approx(2 * (1 + 0.24**2) ** 0.5, rel=0.1)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
def test_its_states_can_be_taken_up_again(optimizer: str) -> None:
    recipe, first, second = Recipe(optimizer=optimizer), network(), network()  # type: ignore[arg-type]
    one, two = Optimizer(first, recipe), Optimizer(second, recipe)

    def step(module: nn.Module, optimiser: Optimizer, number: int) -> None:
        images = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(number))
        optimiser.backward(module(images).square().mean())
        optimiser.step(0.05)

    for number in range(3):
        step(first, one, number)
    second.load_state_dict(first.state_dict())
    two.load(one.tensors())
    step(first, one, 3)
    step(second, two, 3)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_muon_refuses_a_network_that_normalises_nothing() -> None:
    from sightline import models

    muon.check(models.build("resnet18", 2, 3, (64, 64)))
    with pytest.raises(ConfigError, match="lenet5 normalises nothing; take sgd or adamw"):
        muon.check(models.build("lenet5", 2, 1, (28, 28)))
