"""A head that reads stages: which, by which figures, and that it is the same wherever it is saved and read."""

import copy
import threading

import pytest
import torch
from torch import Tensor

from sightline import models
from sightline.models import Network
from sightline.models.stages import EPSILON


def read(name: str = "mobilenet_v2", side: int = 64) -> Network:
    """A network whose head reads all its stages, by weights that are not zero."""
    torch.manual_seed(0)
    network = models.build(name, 5, 3, (side, side)).eval()
    network.read_stages(network.readable_stages())
    assert network.stage_head is not None
    torch.nn.init.normal_(network.stage_head.weight)
    return network


def test_the_last_stage_of_each_shape_is_read() -> None:
    network = models.build("mobilenet_v2", 5, 3, (64, 64))
    assert network.readable_stages() == {
        "features.0": 32, "features.1": 16, "features.3": 24, "features.6": 32, "features.10": 64,
        "features.13": 96, "features.16": 160, "features.17": 320, "features.18": 1280,
    }  # fmt: skip
    assert network.training  # as it was


@pytest.mark.parametrize("name", ["resnet18", "timm/test_convnext", "googlenet", "lenet5", "simple_cnn"])
def test_other_networks_have_stages_too(name: str) -> None:
    network = models.build(name, 5, 3, (64, 96)).eval()
    before = network(x := torch.randn(2, 3, 64, 96))
    stages = network.readable_stages()
    assert len(stages) >= 2
    network.read_stages(stages)
    assert torch.equal(network(x), before)  # weights of zero change nothing


@pytest.mark.parametrize("name", ["vit_b_32", "swin_t"])
def test_tokens_are_no_maps(name: str) -> None:
    """Swin's channels come last, ViT's tokens have no places: reading them by rows and columns would be wrong."""
    stages = models.build(name, 5, 3, (224, 224)).readable_stages()
    assert "features.1" not in stages and not any("encoder" in stage for stage in stages)


def test_statistics_are_means_and_deviations_of_each_channel() -> None:
    network, seen = read(), list[Tensor]()
    x = torch.randn(2, 3, 64, 64)
    network.body.get_submodule("features.6").register_forward_hook(lambda module, inputs, output: seen.append(output))
    with torch.no_grad():
        features, last = network.features(x), models.build("mobilenet_v2", 5, 3, (64, 64)).head.weight.shape[1]
    at = last + 2 * (32 + 16 + 24)  # after the stages before it
    flat = seen[0].flatten(2)
    torch.testing.assert_close(features[:, at : at + 32], flat.mean(2))
    torch.testing.assert_close(features[:, at + 32 : at + 64], (flat.var(2, correction=0) + EPSILON).sqrt())


def test_logits_are_the_two_heads_together() -> None:
    network, x = read(), torch.randn(2, 3, 64, 64)
    assert network.stage_head is not None
    with torch.no_grad():
        logits, features = network.logits_and_features(x)
        own = network.head(features[:, :1280])
        torch.testing.assert_close(own + network.stage_head(features[:, 1280:]), logits)
        assert torch.equal(network(x), logits)


def test_gradients_reach_both() -> None:
    network = read().train()
    network(torch.randn(2, 3, 64, 64)).sum().backward()
    assert network.stage_head is not None and network.stage_head.weight.grad is not None
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in network.parameters())


def test_what_is_saved_answers_alike() -> None:
    network, x = read(), torch.randn(2, 3, 64, 64)
    other = models.build("mobilenet_v2", 5, 3, (64, 64)).eval()
    other.read_stages(network.read_channels)
    other.load(network.tensors())
    assert torch.equal(other(x), network(x))
    assert torch.equal(copy.deepcopy(network)(x), network(x))


def test_no_stages_leave_nothing_behind() -> None:
    network = read()
    network.read_stages({})
    assert network.stage_head is None and network.read_channels == {}
    assert not any(module._forward_hooks for module in network.modules())


def test_threads_do_not_hear_each_other() -> None:
    network = read()
    pictures = [torch.randn(1, 3, 64, 64) for _ in range(8)]
    with torch.no_grad():
        alone = [network(x) for x in pictures]
        found: list[Tensor | None] = [None] * len(pictures)

        def answer(i: int) -> None:
            with torch.no_grad():
                for _ in range(5):
                    found[i] = network(pictures[i])

        threads = [threading.Thread(target=answer, args=(i,)) for i in range(len(pictures))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for one, other in zip(alone, found, strict=True):
        assert other is not None
        torch.testing.assert_close(other, one)
