"""A network cut in two behind one of its stages. Comes in: a Network; goes out: its Lower half, whose output can be
kept, and its Upper half, which answers and trains from that.

Halves share every module and parameter with the network that they are of. Knows nothing of training.
"""

import contextlib
import copy
from collections.abc import Collection
from functools import partial
from itertools import takewhile

import torch
from torch import Tensor, nn

from sightline.models.network import Network
from sightline.models.stages import is_map, listening, shapes_of

TOLERANCE = 1e-4  # of a logit, as a share of the largest: how far the halves may be from the whole


class Lower(Network):
    """Images -> what the last stage below the cut gives, with the statistics that the head reads below it."""

    def __init__(self, network: Network, below: list[str]) -> None:
        whole = network.num_classes, network.in_channels, network.image_size
        super().__init__(network.body, network.architecture, network.options, *whole)
        self.below = below
        self.widths = {name: 2 * num for name, num in network.read_channels.items() if name in below}

    @property
    def num_statistics(self) -> int:
        """S: of all stages below that the head reads."""
        return sum(self.widths.values())

    def logits_and_features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, H, W) -> no logits, but (N, 1), and statistics and output flattened (N, S + D)."""
        outputs: list[Tensor] = []

        def stop(_: nn.Module, inputs: object, output: Tensor) -> None:
            outputs.append(output)
            raise _ReachedError

        handle = self.body.get_submodule(self.below[-1]).register_forward_hook(stop)
        try:
            with listening() as seen:
                self.body(x)
        except _ReachedError:
            pass
        finally:
            handle.remove()
        found = torch.cat([*(seen[name] for name in self.widths), outputs[0].float().flatten(1)], 1)
        return found[:, :1], found


class Seen(Network):
    """Images -> logits, and the maps of some stages, each flattened, side by side (N, sum of D x H' x W')."""

    def __init__(self, network: Network, stages: list[str]) -> None:
        whole = network.num_classes, network.in_channels, network.image_size
        super().__init__(network.body, network.architecture, network.options, *whole)
        self.seen = stages

    def logits_and_features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        found = dict[str, Tensor]()

        def note(name: str, module: nn.Module, inputs: object, output: Tensor) -> None:
            found[name] = output.float().flatten(1).clone()  # what comes next may write into it

        with contextlib.ExitStack() as handles:
            for name in self.seen:
                handle = self.body.get_submodule(name).register_forward_hook(partial(note, name))
                handles.callback(handle.remove)
            logits = self(x)
        return logits, torch.cat([found[name] for name in self.seen], 1)


class Upper:
    """What `Lower` gives -> logits. `shape` (C, H, W): of its output."""

    def __init__(self, network: Network, lower: Lower, shape: tuple[int, ...], channels_last: bool) -> None:
        self.network, self.lower, self.shape = network, lower, shape
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        self.twins = list[tuple[nn.Module, nn.Module]]()
        self.body = _passing(network.body, lower.below, self.twins)

    def __call__(self, kept: Tensor) -> tuple[Tensor, list[tuple[Tensor, float]]]:
        """(N, S + D) float32 -> logits (N, K), and no auxiliary ones."""
        head, width = self.network.stage_head, self.lower.num_statistics
        output = kept[:, width:].reshape(-1, *self.shape).contiguous(memory_format=self.layout)
        for twin, original in self.twins:  # some layers, as dropout by a function, ask the module that holds them
            twin.training = original.training
        with listening() as seen:
            logits: Tensor = self.body(output)
        if head is None:
            return logits, []
        statistics = torch.split(kept[:, :width], list(self.lower.widths.values()), 1)
        return logits + head(head.statistics(seen | dict(zip(self.lower.widths, statistics, strict=True)))), []


class _ReachedError(Exception):
    """The pass has come to the cut."""


@torch.no_grad()
def halves(network: Network, channels_last: bool, behind: str | None = None) -> tuple[Lower, Upper] | None:
    """The network cut behind a stage; None: before the first of the stages whose output is as small as the last one's,
    so that more than the head lies above.

    None where it cannot be cut there, such as where what lies above is not a function of what the stage below gives.
    """
    training, device = network.training, network.head.weight.device
    picture = torch.rand(2, network.in_channels, *network.image_size, device=device)
    try:
        shapes = shapes_of(network.stages(), network.eval(), picture)
        if behind is not None:
            below = [*takewhile(lambda name: name != behind, shapes), behind]
        elif not (below := _below(shapes, network.image_size)) or not _trains_more_than_head(network, below):
            return None
        lower = Lower(network, below)
        upper = Upper(network, lower, shapes[below[-1]][1:], channels_last)
        try:
            found = upper(lower.logits_and_features(picture)[1])[0]
        except (RuntimeError, AttributeError, TypeError, ValueError):  # of a network that is no chain of stages
            return None
        wanted = network(picture)
        if found.shape != wanted.shape or not (found - wanted).abs().max() <= TOLERANCE * wanted.abs().max():
            return None
        return lower, upper
    finally:
        network.train(training)


def freeze_lower(network: Network, lower: Lower) -> None:
    """Let only what lies above the cut train."""
    for name in lower.below:
        network.body.get_submodule(name).requires_grad_(False)


def _trains_more_than_head(network: Network, below: list[str]) -> bool:
    head = {id(p) for p in network.head.parameters()}
    above = [module for name, module in network.stages().items() if name not in below]
    return any(id(p) not in head for module in above for p in module.parameters())


def _below(shapes: dict[str, tuple[int, ...]], size: tuple[int, int]) -> list[str]:
    """The stages below the cut, in the order in which they are run through."""
    names = list(shapes)
    maps = [i for i, name in enumerate(names) if is_map(shapes[name], size)]
    if not maps:
        return []
    first = last = maps[-1]
    while first > 0 and shapes[names[first]][2:] == shapes[names[last]][2:]:
        first -= 1
    return names[: first + 1] if shapes[names[first]][2:] != shapes[names[last]][2:] else []


def _passing(module: nn.Module, names: Collection[str], twins: list[tuple[nn.Module, nn.Module]]) -> nn.Module:
    """The module with some of its parts passing on what they are given; all others are the very same. `twins`: is told
    of the copies, and of what they are of."""
    if not names:
        return module
    children = dict(module.named_children())
    for child in {name.partition(".")[0] for name in names}:
        inside = [name.partition(".")[2] for name in names if name.partition(".")[0] == child]
        children[child] = nn.Identity() if "" in inside else _passing(children[child], inside, twins)
    twin = copy.copy(module)
    twin._modules = dict(children)
    twins.append((twin, module))
    return twin
