"""Layers made as narrow as weights are."""

import torch
from torch import nn

from sightline import models
from sightline.models.pruned import cut


def _shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def test_every_kind_of_layer_takes_the_sizes_of_its_weights() -> None:
    class Body(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.first = nn.Conv2d(1, width, 3, padding=1)  # one channel, one group: not depthwise
            self.norm = nn.BatchNorm2d(width)
            self.depthwise = nn.Conv2d(width, 2 * width, 3, padding=1, groups=width)
            self.grouped = nn.Conv2d(2 * width, width, 1, groups=4)
            self.groups = nn.GroupNorm(4, width)
            self.slope = nn.PReLU(width)
            self.scale = nn.Parameter(torch.rand(width, 1, 1))
            self.layer = nn.LayerNorm(width)
            self.head = nn.Linear(width, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.slope(self.groups(self.grouped(self.depthwise(self.norm(self.first(x))))))
            return self.head(self.layer((self.scale * x).mean((2, 3))))  # type: ignore[no-any-return]

    torch.manual_seed(0)
    wide, narrow, picture = Body(16).eval(), Body(8).eval(), torch.rand(2, 1, 5, 5)
    cut(wide, _shapes(narrow))
    wide.load_state_dict(narrow.state_dict())
    torch.testing.assert_close(wide(picture), narrow(picture), rtol=0, atol=0)
    assert repr(wide) == repr(narrow)  # sizes that only a repr shows
    wide.train()(picture)


def test_nothing_changes_where_shapes_are_the_same() -> None:
    network = models.build("simple_cnn", 2, 1, (28, 28))
    before = dict(network.named_parameters())
    network.cut(network.shapes())
    assert all(before[name] is parameter for name, parameter in network.named_parameters())


def test_the_number_of_classes_is_the_networks_own() -> None:
    two, five = (models.build("simple_cnn", num, 1, (28, 28), {"width": 8}) for num in (2, 5))
    five.cut(
        {name: (2, 8, *shape[2:]) if name.endswith("head.weight") else shape for name, shape in two.shapes().items()}
    )
    assert five.head.weight.shape[0] == 5 and five.head.weight.shape[1] == 8
