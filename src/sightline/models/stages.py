"""What a network's stages hold, in short: the mean and the standard deviation of each channel over the picture.

Comes in: a body as it was built; goes out: the stages that can be read, and a head that reads them beside the features.
The last stage knows objects; those before it know textures and edges, which tell materials or tissues apart.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPSILON = 1e-6  # in a variance, whose square root has no slope at 0
LEAST_POINTS = 4  # a side of a map that shows where something is

_seen: ContextVar[dict[str, Tensor] | None] = ContextVar("seen", default=None)


class StageHead(nn.Module):
    """Adds to the logits what a linear layer, without bias, makes of the statistics of some stages; zero at first.

    `channels`: of each stage, by its name. It listens at the stages of `body` as long as it is not `closed`.
    """

    def __init__(self, body: nn.Module, channels: Mapping[str, int], num_classes: int) -> None:
        super().__init__()
        self.channels = dict(channels)
        self.weight = nn.Parameter(torch.zeros(num_classes, 2 * sum(channels.values())))
        self._handles = [
            body.get_submodule(name).register_forward_hook(partial(_listen, name)) for name in self.channels
        ]

    def forward(self, statistics: Tensor) -> Tensor:
        """(N, 2 * all channels) -> (N, K)."""
        return F.linear(statistics, self.weight)

    def statistics(self, seen: Mapping[str, Tensor]) -> Tensor:
        """(N, 2 * all channels): of each stage the means, then the standard deviations."""
        return torch.cat([seen[name] for name in self.channels], 1)

    def close(self) -> None:
        for handle in self._handles:
            handle.remove()


@contextmanager
def listening() -> Iterator[dict[str, Tensor]]:
    """The statistics of a pass that is run inside, by the stages' names; in other threads nothing is heard."""
    found = dict[str, Tensor]()
    token = _seen.set(found)
    try:
        yield found
    finally:
        _seen.reset(token)


def _listen(name: str, module: nn.Module, inputs: object, output: Tensor) -> None:
    seen = _seen.get()
    if seen is not None:
        seen[name] = statistics_of(output)


def statistics_of(maps: Tensor) -> Tensor:
    """(N, D, H, W) -> float32 (N, 2 * D): the means, then the standard deviations."""
    values = maps.float()
    mean = values.mean((2, 3), keepdim=True)
    deviation = ((values - mean).square().mean((2, 3)) + EPSILON).sqrt()
    return torch.cat([mean.flatten(1), deviation], 1)


@torch.inference_mode()
def readable(stages: Mapping[str, nn.Module], network: nn.Module, picture: Tensor) -> dict[str, int]:
    """Channels of the stages that can be read, by their names: the last of each run of stages of one shape.

    Their output is a map of the picture (N, channels, H, W): of its proportions, and larger than one point. `picture`
    (1, C, H, W) is sent through `network`, in evaluation mode.
    """
    shapes = shapes_of(stages, network, picture)
    names = [name for name in shapes if is_map(shapes[name], (picture.shape[2], picture.shape[3]))]
    last = {name for name, after in pairwise(names) if shapes[name] != shapes[after]} | set(names[-1:])
    return {name: shapes[name][1] for name in names if name in last}


@torch.inference_mode()
def last_map(stages: Mapping[str, nn.Module], network: nn.Module, picture: Tensor, least: int) -> str | None:
    """The last stage that gives a map of the picture with `least` points a side; the last with a map where none has."""
    shapes = shapes_of(stages, network, picture)
    names = [name for name in shapes if is_map(shapes[name], (picture.shape[2], picture.shape[3]))]
    large = [name for name in names if min(shapes[name][2:]) >= least]
    return next(reversed(large or names), None)


def shapes_of(stages: Mapping[str, nn.Module], network: nn.Module, picture: Tensor) -> dict[str, tuple[int, ...]]:
    """Of what each stage gives, where that is a tensor, in the order in which `picture` runs through them."""
    shapes = dict[str, tuple[int, ...]]()

    def note(name: str, module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            shapes[name] = tuple(output.shape)

    handles = [module.register_forward_hook(partial(note, name)) for name, module in stages.items()]
    try:
        network(picture)
    finally:
        for handle in handles:
            handle.remove()
    return shapes


def is_map(shape: tuple[int, ...], size: tuple[int, int]) -> bool:
    """Whether it is (N, channels, H, W) of a picture of `size`; the sides of a map are rounded."""
    if len(shape) != 4 or min(shape[2:]) < 2:
        return False
    return abs(size[1] * shape[2] / size[0] - shape[3]) <= 1
