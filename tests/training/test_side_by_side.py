"""Gradients with pictures side by side against torch's own."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from sightline.classifier import from_arrays
from sightline.training.options import Options
from sightline.training.side_by_side import NARROW, SideBySide, _num_in_row
from sightline.training.train import train

from .test_train import FAST, bars


def gradients(layer: nn.Conv2d, x: Tensor) -> list[Tensor]:
    x = x.clone().requires_grad_(True)
    layer.zero_grad()
    y = layer(x)
    (y * torch.linspace(-1, 1, y.numel()).view_as(y)).sum().backward()
    return [g for g in (x.grad, *(p.grad for p in layer.parameters())) if g is not None]


def node(layer: nn.Module, x: Tensor) -> str:
    """Of the backward pass."""
    with SideBySide():
        return type(layer(x).grad_fn).__name__


LAYERS = {
    "3x3": nn.Conv2d(3, 5, 3, padding=1, bias=False),
    "bias": nn.Conv2d(3, 5, 3, padding=1),
    "stride 2": nn.Conv2d(3, 5, 3, padding=1, stride=2),
    "5x5": nn.Conv2d(3, 5, 5, padding=2, stride=2),
    "1x7": nn.Conv2d(3, 5, (1, 7), padding=(0, 3)),
    "7x1": nn.Conv2d(3, 5, (7, 1), padding=(3, 0)),
    "3x1, stride 2": nn.Conv2d(3, 5, (3, 1), padding=(0, 0), stride=(2, 1)),
    "1x1": nn.Conv2d(3, 5, 1),
    "1x1, stride 2": nn.Conv2d(3, 5, 1, stride=2),
}


@pytest.mark.parametrize("size", [(7, 7), (8, 5), (1, 1), (3, 16)])
@pytest.mark.parametrize("num", [2, 6, 16])
@pytest.mark.parametrize("name", LAYERS)
def test_gradients_are_torchs(name: str, num: int, size: tuple[int, int]) -> None:
    layer = LAYERS[name].double()
    if size[0] < 3 and name == "3x1, stride 2":
        size = (3, size[1])
    x = torch.randn(num, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = gradients(layer, x)
    with SideBySide():
        found = gradients(layer, x)
    assert node(layer, x) == "_ConvolutionBackward"
    for a, b in zip(found, expected, strict=True):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(4, 4, 3, padding=1), (2, 4, 8, NARROW + 1)),
        (nn.Conv2d(4, 4, 3, padding=1), (3, 4, 8, 8)),
        (nn.Conv2d(4, 4, 3, padding=1, groups=4), (2, 4, 8, 8)),
        (nn.Conv2d(4, 4, 3, padding=2, dilation=2), (2, 4, 8, 8)),
        (nn.Conv2d(4, 4, 3), (2, 4, 8, 8)),
        (nn.Conv2d(4, 4, 3, padding="same"), (2, 4, 8, 8)),
        (nn.Conv2d(4, 4, 3, padding=1).requires_grad_(False), (2, 4, 8, 8)),
    ],
)
def test_others_are_left_to_torch(layer: nn.Conv2d, shape: tuple[int, ...]) -> None:
    x = torch.randn(*shape, requires_grad=True)
    assert node(layer, x) == "ConvolutionBackward0"
    with SideBySide():
        assert torch.equal(layer(x), layer(x.clone()))


def test_autocast_holds_in_it() -> None:
    layer, x = nn.Conv2d(4, 4, 3, padding=1), torch.randn(4, 4, 7, 7)
    with torch.autocast("cpu", torch.bfloat16), SideBySide():
        y = layer(x)
    assert y.dtype == torch.bfloat16
    y.float().square().sum().backward()
    assert layer.weight.grad is not None and layer.weight.grad.dtype == torch.float32


def test_rows_are_long_enough_for_tiles_and_divide_the_batch() -> None:
    assert [_num_in_row(512, width) for width in (4, 8, 16)] == [16, 8, 4]
    assert _num_in_row(6, 8) == 2 and _num_in_row(7, 8) == 1


@pytest.mark.usefixtures("default_plan")
def test_a_training_with_it_is_the_same_within_rounding(tmp_path: Path) -> None:
    settings, losses = FAST | {"model": "whitened_cnn"}, []
    for plan in ("float32,threads=1", "float32,threads=1,side_by_side"):
        run = train(from_arrays(*bars(64)), settings, Options(out=tmp_path / plan, plan=plan))
        lines = (run.path / "metrics.jsonl").read_text().splitlines()
        losses.append([json.loads(line)["train_loss"] for line in lines])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3) and losses[0] != losses[1]
