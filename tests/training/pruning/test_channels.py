"""Which channels go, and the proof that a pruned network is the one that it was without them."""

import copy

import pytest
import torch
from torch import Tensor, nn

from sightline import models
from sightline.errors import ConfigError
from sightline.models import Network
from sightline.models.counting import Size, multiply_adds
from sightline.training.pruning import proof
from sightline.training.pruning.channels import Kept, narrow
from sightline.training.pruning.importance import layers_of
from sightline.training.pruning.prune import TOLERANCE, _prove

pytest.importorskip("torch_pruning", reason="needs the extra prune")


@pytest.fixture(autouse=True)
def same_weights() -> None:
    torch.manual_seed(0)


class Small(nn.Module):
    """A residual network with a depthwise, a grouped and a shuffled part. `is_shuffled`: as ShuffleNet has it."""

    def __init__(self, width: int = 16, is_shuffled: bool = False) -> None:
        super().__init__()
        self.is_shuffled = is_shuffled
        self.first, self.norm = nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.wide, self.wide_norm = nn.Conv2d(width, 2 * width, 1, bias=False), nn.BatchNorm2d(2 * width)
        self.depthwise = nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=2 * width)
        self.grouped = nn.Conv2d(2 * width, width, 1, groups=2)
        self.head = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.first(x)).relu()
        y = self.wide_norm(self.wide(x)).relu()
        if self.is_shuffled:
            n, c, h, w = y.shape
            y = y.reshape(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        return self.head((x + self.grouped(self.depthwise(y))).mean((2, 3)))  # type: ignore[no-any-return]


def network_of(body: nn.Module) -> Network:
    for module in body.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.3, 1.5)
            nn.init.normal_(module.bias)
    return Network(body, "simple_cnn", {}, 3, 3, (8, 8)).eval()


def pruned(network: Network, share: float) -> tuple[Kept, Tensor]:
    picture = torch.rand(4, 3, *network.image_size)
    labels = torch.tensor([0, 1, 2, 0])
    losses = (torch.nn.functional.cross_entropy(network(picture), labels) for _ in range(1))
    layers = layers_of(network.body, losses, 4)
    most = round((1 - share) * multiply_adds(network))
    return narrow(network.body, network.head, picture, layers, lambda: multiply_adds(network), most), picture


def test_it_is_the_network_that_it_was_without_the_channels() -> None:
    network = network_of(Small())
    whole, before = copy.deepcopy(network), Size.of(network)
    kept, picture = pruned(network, 0.4)
    assert 0.4 < multiply_adds(network) / before.multiply_adds <= 0.6
    assert proof.distance(whole.body, network.body, kept, picture) < 1e-5
    wrong = Kept(kept.inputs | {"head": (kept.inputs["head"] + 1) % 16}, kept.outputs)
    assert proof.distance(whole.body, network.body, wrong, picture) > 1e-2


def test_channels_that_the_networks_own_code_shuffles_are_found_out() -> None:
    network = network_of(Small(is_shuffled=True))
    whole = copy.deepcopy(network)
    try:
        kept, picture = pruned(network, 0.3)
    except (ConfigError, RuntimeError, ZeroDivisionError, IndexError):
        return  # found out by the shapes
    assert proof.distance(whole.body, network.body, kept, picture) > TOLERANCE


def test_worth_is_what_the_loss_changes_by() -> None:
    """A channel that the head does not read is worth nothing; of the others each is worth its share, squared."""
    body = nn.Sequential(nn.Conv2d(1, 3, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1))
    with torch.no_grad():
        body[0].weight.copy_(torch.tensor([1.0, 2.0, 3.0]).reshape(3, 1, 1, 1))
        body[3].weight.copy_(torch.tensor([[1.0, 0.0, -1.0]]))
    picture = torch.stack([torch.full((1, 2, 2), 1.0), torch.full((1, 2, 2), 3.0)])
    found = layers_of(body, (body(picture).mean() for _ in range(1)), 2)
    # the loss of a picture x is x - 3 x: closing a channel changes it by x or -3 x; x is 1 and 3, so x^2 is 5 in mean
    torch.testing.assert_close(found["0"].worth, torch.tensor([5.0, 0.0, 45.0]))
    assert found["0"].positions == 4 and found["3"].positions == 1


def test_the_least_worth_go_first() -> None:
    body = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
    network = network_of(body)
    with torch.no_grad():
        body[0].bias.fill_(3.0)  # none is closed by its activation
        body[4].weight[:, [1, 4, 6]] *= 1e-4
    kept, _ = pruned(network, 0.3)
    assert set(range(8)) - set(kept.outputs["0"].tolist()) <= {1, 4, 6}


def test_no_layer_gets_narrower_than_an_eighth() -> None:
    with pytest.raises(ConfigError, match=r"that much cannot go: at \d+% of the multiply-adds every layer"):
        pruned(network_of(Small()), 0.99)


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "timm/convnext_atto", "timm/regnety_002"])
def test_networks_of_the_catalogue(name: str) -> None:
    torch.manual_seed(0)
    network = models.build(name, 3, 3, (64, 64)).eval()
    for module in network.modules():  # as training leaves them: no two channels alike
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(module.weight, 0.3, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
            module.running_mean.normal_(0, 0.3)  # type: ignore[union-attr]
    whole = copy.deepcopy(network)
    kept, picture = pruned(network, 0.2)
    _prove(whole, network, kept, picture)
    assert 0.7 < multiply_adds(network) / multiply_adds(whole) <= 0.8
