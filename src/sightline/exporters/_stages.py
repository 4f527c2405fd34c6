"""Which maps an export gives for explanations, and how its logits come from them. Comes in: an engine; goes out: the
stages whose maps are wanted, and the weights by which each class counts their means and deviations.

Where nothing but these lies above the stages, explanations need no gradients, and so no torch. That is proven here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from sightline.data.warp import Floats
from sightline.engines.gradients import as_numpy, names_to
from sightline.engines.inside import listening_at
from sightline.engines.torch import TorchEngine
from sightline.errors import ExportError
from sightline.models import Network
from sightline.models.stages import statistics_of

TOLERANCE = 1e-3  # of a logit, as a share of their deviation
NUM_ASKED = 4  # pictures


@dataclass(frozen=True)
class Stages:
    """names: of the stages, the last one at the end; weights: of each (K, 2 * D), by which classes count statistics."""

    names: tuple[str, ...]
    weights: tuple[Floats, ...]


def stages_of(engine: TorchEngine) -> Stages:
    """Raises ExportError where the logits do not come from means and deviations of maps, by one linear layer."""
    network, what = engine.network.eval(), engine.config.architecture
    last = network.last_map()
    if last is None or not network.has_linear_head:
        raise ExportError(f"maps: {what} has no linear layer that reads the mean of a map; export it without them")
    names = names_to(network, last)
    weights = _weights(network, names)
    frame = engine.config.preprocessing
    images = torch.randn(NUM_ASKED, frame.channels, frame.height, frame.width, device=engine.device)
    with torch.no_grad(), listening_at(network, names) as found:
        wanted = network(images)
    bias = network.head.bias
    given = _logits(found, names, weights) + (0 if bias is None else bias)
    if given.shape != wanted.shape or not (given - wanted).abs().max() <= TOLERANCE * wanted.std():
        raise ExportError(
            f"maps: between {last}, the last stage of {what} whose maps show where something is, and its answers lies "
            "more than a mean and a linear layer; export it without them, and explain the run itself"
        )
    return Stages(tuple(names), tuple(as_numpy(weights[name]) for name in names))


def _weights(network: Network, names: list[str]) -> dict[str, Tensor]:
    """(K, 2 * D) of each stage: the head's of the last one's means, and those by which it reads statistics."""
    head = network.head.weight.detach().flatten(1)
    found = {names[-1]: torch.cat([head, torch.zeros_like(head)], 1)}
    if network.stage_head is not None:
        read = network.read_channels
        parts = torch.split(network.stage_head.weight.detach(), [2 * num for num in read.values()], 1)
        for name, part in zip(read, parts, strict=True):
            found[name] = found[name] + part if name in found and found[name].shape == part.shape else part
    return {name: found[name] for name in names}


def _logits(maps: Mapping[str, Tensor], names: list[str], weights: Mapping[str, Tensor]) -> Tensor:
    sums = [statistics_of(maps[name]) @ weights[name].T for name in names if _fit(maps[name], weights[name])]
    return torch.stack(sums).sum(0) if len(sums) == len(names) else torch.zeros(0)


def _fit(maps: Tensor, weights: Tensor) -> bool:
    return 2 * maps.shape[1] == weights.shape[1]
