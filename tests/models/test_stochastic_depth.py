"""Blocks that pictures pass by."""

import copy

import pytest
import torch

from sightline import models
from sightline.errors import ConfigError


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "wide_resnet50_2"])
def test_it_drops_in_training_alone_and_keeps_the_names(name: str) -> None:
    pytest.importorskip("torchvision")
    torch.manual_seed(0)
    plain = models.build(name, 2, 3, (64, 64))
    torch.manual_seed(0)
    dropping = copy.deepcopy(models.build(name, 2, 3, (64, 64), {"stochastic_depth": 0.9}))
    assert plain.state_dict().keys() == dropping.state_dict().keys()
    images = torch.randn(4, 3, 64, 64)
    assert torch.equal(plain.eval()(images), dropping.eval()(images))
    for module in (*plain.modules(), *dropping.modules()):
        module.train(not isinstance(module, torch.nn.BatchNorm2d))  # so that batches do not speak
    assert not torch.allclose(plain(images), dropping(images))
    assert not torch.allclose(dropping(images), dropping(images)), "drawn anew"


def test_late_blocks_are_dropped_more_often_and_the_mean_stays() -> None:
    pytest.importorskip("torchvision")
    from sightline.models.from_torchvision import _dropped

    torch.manual_seed(0)
    module, ones = torch.nn.BatchNorm2d(1).train(), torch.ones(20_000, 1, 1, 1)
    for share in (0.1, 0.6):
        out = _dropped(share, module, module, None, ones)
        assert (out == 0).float().mean().item() == pytest.approx(share, abs=0.02)
        assert out.mean().item() == pytest.approx(1, abs=0.03)
    assert torch.equal(_dropped(0.6, module.eval(), module, None, ones), ones)


@pytest.mark.parametrize("share", [1.0, -0.1, "much"])
def test_shares_that_are_none(share: object) -> None:
    pytest.importorskip("torchvision")
    with pytest.raises(ConfigError, match="stochastic_depth"):
        models.build("resnet18", 2, 3, (64, 64), {"stochastic_depth": share})


def test_networks_without_such_blocks() -> None:
    pytest.importorskip("torchvision")
    with pytest.raises(ConfigError, match="vgg11 has no option 'stochastic_depth'"):
        models.build("vgg11", 2, 3, (64, 64), {"stochastic_depth": 0.1})
