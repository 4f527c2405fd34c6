"""A network cut in two: the halves are the whole, and share its parts."""

import copy

import pytest
import torch

from sightline import models
from sightline.models import Network
from sightline.models.halves import freeze_lower, halves

from .test_stages import read


def answers(network: Network, channels_last: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the halves one after the other, and of the whole."""
    cut = halves(network, channels_last)
    assert cut is not None
    lower, upper = cut
    picture = torch.randn(3, network.in_channels, *network.image_size)
    return upper(lower.logits_and_features(picture)[1])[0], network(picture)


@pytest.mark.parametrize(
    ("name", "last_below"),
    [("mobilenet_v2", "features.13"), ("resnet18", "layer3"), ("densenet121", "features.denseblock3"),
     ("googlenet", "inception4e"), ("timm/test_convnext", "stages.2"), ("vgg11", "features.19")],
)  # fmt: skip
def test_the_cut_is_where_the_last_maps_become_small(name: str, last_below: str) -> None:
    network = models.build(name, 5, 3, (224, 160)).eval()
    cut = halves(network, channels_last=True)
    assert cut is not None and cut[0].below[-1] == last_below
    torch.testing.assert_close(*answers(network))


@pytest.mark.parametrize("channels_last", [True, False])
def test_statistics_of_stages_below_are_handed_on(channels_last: bool) -> None:
    network = read("mobilenet_v2", 96)
    cut = halves(network, channels_last)
    assert cut is not None and set(cut[0].widths) == {f"features.{i}" for i in (0, 1, 3, 6, 10, 13)}
    torch.testing.assert_close(*answers(network, channels_last))


@pytest.mark.parametrize("name", ["vit_b_32", "swin_t"])
def test_what_is_no_chain_of_maps_is_not_cut(name: str) -> None:
    assert halves(models.build(name, 5, 3, (224, 224)), channels_last=False) is None


def test_a_network_with_a_bypass_is_not_cut() -> None:
    """What lies above would need more than the stage below gives."""

    class Bypassing(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = torch.nn.Conv2d(3, 3, 3, padding=1), torch.nn.Conv2d(3, 3, 3, 2)
            self.head = torch.nn.Linear(3, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head((self.two(self.one(x)) + x.mean()).mean((2, 3)))  # type: ignore[no-any-return]

    network = Network(Bypassing(), "bypassing", {}, 5, 3, (32, 32))
    assert halves(network, channels_last=False) is None


def test_the_upper_half_alone_trains_and_is_the_network_s_own() -> None:
    network = read("resnet18")
    before, cut = copy.deepcopy(network.state_dict()), halves(network, channels_last=False)
    assert cut is not None
    lower, upper = cut
    freeze_lower(network, lower)
    kept = lower.logits_and_features(torch.randn(2, 3, 64, 64))[1]
    upper(kept)[0].square().sum().backward()  # type: ignore[no-untyped-call]  # of torch
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.grad is not None:
                parameter -= 0.1 * parameter.grad
    after = network.state_dict()
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert {name.partition(".")[0] for name in changed} == {"body", "stage_head"}
    assert {name.split(".")[1] for name in changed if name.startswith("body.")} == {"layer4", "fc"}


def test_halves_change_nothing_of_the_network() -> None:
    network = read("mobilenet_v2").train()
    names, before = [name for name, _ in network.named_modules()], copy.deepcopy(network.state_dict())
    halves(network, channels_last=True)
    assert network.training and [name for name, _ in network.named_modules()] == names
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_dropout_that_asks_the_module_that_holds_it_acts_in_the_upper_half_too() -> None:
    network = models.build("timm/resnet10t", 5, 3, (64, 64), {"dropout": 0.9})
    cut = halves(network, channels_last=False)
    assert cut is not None
    lower, upper = cut
    network.eval()
    kept = lower.logits_and_features(torch.randn(3, 3, 64, 64))[1]
    assert torch.equal(upper(kept)[0], upper(kept)[0])
    network.train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    assert not torch.equal(upper(kept)[0], upper(kept)[0])
