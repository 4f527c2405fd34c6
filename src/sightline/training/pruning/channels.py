"""A network with fewer channels. Comes in: a body, what its channels are worth, multiply-adds that may stay; goes out:
the same body, narrower, and which channels were kept.

Channels that must go together, as those that are added up, are found by Torch-Pruning's graph of dependencies (Fang et
al., 2023, DepGraph). Those go first that are worth the least for the multiply-adds that they cost. Must not know
pictures.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any  # Any: Torch-Pruning has no types

import torch
from torch import Tensor, nn

from sightline.errors import ConfigError, MissingExtraError
from sightline.training.pruning.importance import LAYERS, NORMS, Layer

if TYPE_CHECKING:
    from torch_pruning import DependencyGraph

LEAST = 8  # an eighth of a layer's channels stays in any case
PASSES = 20  # in which the multiply-adds go, each by what is worth the least then
BLOCK = 8  # channels that go at once, where there are as many as 64: processors compute by eight or sixteen


@dataclass(frozen=True)
class Kept:
    """Which channels stay, by layers' names, as they were numbered before: of their inputs, and of their outputs."""

    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]


@dataclass(frozen=True)
class _Block:
    """Channels `indices` of a group, which go at once. `price`: their worth for each multiply-add that they cost."""

    module: nn.Module
    function: Any
    indices: list[int]
    saved: float
    price: float


def narrow(
    body: nn.Module, head: nn.Module, picture: Tensor, layers: Mapping[str, Layer], count: Callable[[], int], most: int
) -> Kept:
    """Take channels from `body` until `count()`, its multiply-adds, is `most`. `picture` (1, C, H, W) is sent through.

    Raises ConfigError where it cannot be so narrow; other errors are of Torch-Pruning, for a network that it does not
    understand.
    """
    graph = _graph(body, picture)
    names = {module: name for name, module in body.named_modules()}
    width = {name: _num_outputs(module) for module, name in names.items() if isinstance(module, (*LAYERS, *NORMS))}
    kept = Kept({}, {})
    now = first = count()
    while now > most:
        wanted = min(now - most, first / PASSES)
        blocks = sorted(_blocks(graph, head, names, layers, kept, width), key=lambda block: block.price)
        for block in blocks:
            if wanted <= 0:
                break
            group = graph.get_pruning_group(block.module, block.function, block.indices)
            if graph.check_pruning_group(group):
                _note(kept, graph, group, names)
                group.prune()
                wanted -= block.saved
        before, now = now, count()
        if now == before:
            raise ConfigError(
                f"that much cannot go: at {now / first:.0%} of the multiply-adds every layer is at an eighth of its "
                "channels, or has to be as wide as another that stays"
            )
    return kept


def check_installed() -> None:
    """Raise MissingExtraError without Torch-Pruning."""
    try:
        import torch_pruning  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("--prune", "torch-pruning", "prune") from error


def _graph(body: nn.Module, picture: Tensor) -> DependencyGraph:
    import torch_pruning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of parameters outside layers, which it prunes along
        return torch_pruning.DependencyGraph().build_dependency(body, example_inputs=picture, verbose=False)


def _blocks(
    graph: DependencyGraph,
    head: nn.Module,
    names: Mapping[nn.Module, str],
    layers: Mapping[str, Layer],
    kept: Kept,
    width: Mapping[str, int],
) -> Iterator[_Block]:
    """Of each group of channels the block that is worth the least for what it costs."""
    for group in graph.get_all_groups(ignored_layers=[head], root_module_types=list(LAYERS)):
        root = group[0].dep.target.module
        worth, saved = _worth_and_cost(graph, group, names, layers, kept)
        if worth is None or not saved:
            continue
        num_parts = _num_parts(graph, group)
        by_place = worth.reshape(num_parts, -1).sum(0)  # groups of a convolution stay equally wide
        size, before = len(by_place), max(width[names[root]] // num_parts, 1)
        num = max(1, min(BLOCK, before // 8) // num_parts)
        least = 1 if num_parts == 1 else 2  # one channel a group would be another kind of convolution, to Torch-Pruning
        if size - num < max(least, before // LEAST):
            continue
        chosen = by_place.argsort()[:num]
        indices = [int(i) + part * size for part in range(num_parts) for i in chosen]
        cost = saved * len(indices)
        yield _Block(root, group[0].dep.handler, indices, cost, float(by_place[chosen].sum()) / cost)


def _worth_and_cost(
    graph: DependencyGraph, group: Any, names: Mapping[nn.Module, str], layers: Mapping[str, Layer], kept: Kept
) -> tuple[Tensor | None, float]:
    """Of each channel of a group, by its first layer's numbers: worth (C,), by normalisation where it has any; and the
    multiply-adds that one channel costs."""
    size, cost = len(group[0].idxs), 0.0
    found = dict[type, Tensor]()
    for item in group:
        module, function = item.dep.target.module, item.dep.handler
        layer = layers.get(names.get(module, ""))
        if layer is None:
            continue
        gives = graph.is_out_channel_pruning_fn(function)
        if isinstance(module, LAYERS):
            cost += _multiply_adds(module, layer.positions) * len(item.idxs) / size / _num(module, gives)
        if not gives:
            continue
        kind = nn.Module if isinstance(module, NORMS) else nn.Conv2d
        worth = layer.worth
        if (own := kept.outputs.get(names[module])) is not None:
            worth = worth[own]
        sums = found.setdefault(kind, torch.zeros(size))
        sums.index_add_(0, torch.tensor(item.root_idxs), worth[torch.tensor(item.idxs)])
    return found.get(nn.Module, found.get(nn.Conv2d)), cost


def _num_parts(graph: DependencyGraph, group: Any) -> int:
    """Parts of a group's channels that have to stay equally wide: the groups of a convolution or a normalisation."""
    num = 1
    for item in group:
        module, pruner = item.dep.target.module, graph.get_pruner_of_module(item.dep.target.module)
        if isinstance(module, nn.Conv2d) and module.groups == module.out_channels:
            continue
        gives = graph.is_out_channel_pruning_fn(item.dep.handler)
        num = max(num, pruner.get_out_channel_groups(module) if gives else pruner.get_in_channel_groups(module))
    return num


def _note(kept: Kept, graph: DependencyGraph, group: Any, names: Mapping[nn.Module, str]) -> None:
    """Number those that stay when the group is pruned."""
    for item in group:
        module, function = item.dep.target.module, item.dep.handler
        if module not in names:
            continue
        if graph.is_out_channel_pruning_fn(function):
            _leave_out(kept.outputs, names[module], graph.get_out_channels(module), item.idxs)
        if graph.is_in_channel_pruning_fn(function):
            _leave_out(kept.inputs, names[module], graph.get_in_channels(module), item.idxs)


def _leave_out(kept: dict[str, Tensor], name: str, num: int, indices: list[int]) -> None:
    stays = torch.ones(num, dtype=torch.bool)
    stays[torch.tensor(indices)] = False
    kept[name] = kept.get(name, torch.arange(num))[stays]


def _multiply_adds(module: nn.Module, positions: int) -> int:
    weight: Tensor = module.weight  # type: ignore[assignment]  # of a convolution or a linear layer
    return positions * weight.numel()


def _num(module: nn.Module, gives: bool) -> int:
    """Of a convolution's or linear layer's channels."""
    if isinstance(module, nn.Conv2d):
        return module.out_channels if gives else module.in_channels
    assert isinstance(module, nn.Linear)
    return module.out_features if gives else module.in_features


def _num_outputs(module: nn.Module) -> int:
    return module.num_features if isinstance(module, NORMS) else _num(module, gives=True)
