"""What a network makes of pictures on its way: the maps of its stages, and how single units depend on pixels.

Comes in: pictures; goes out: maps and gradients, in numpy. Of the network as it is, without the views that a run may
average over.
"""

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sightline.data.warp import Floats
from sightline.engines.gradients import as_numpy, frozen, ready
from sightline.engines.torch import TorchEngine
from sightline.models import Network


def stage_maps(engine: TorchEngine, images: Floats, stages: Sequence[str]) -> dict[str, Floats]:
    """(n, height, width, C) float32 0..255, n <= batch_size -> of each stage its maps (n, D, H', W')."""
    with ready(engine, images) as pixels, torch.no_grad(), listening_at(engine.network, stages) as found:
        engine.network(pixels)
        return {name: as_numpy(found[name]) for name in stages}


def unit_gradients(
    engine: TorchEngine, images: Floats, stage: str, channels: NDArray[np.intp], centre: bool
) -> tuple[Floats, Floats]:
    """How strongly a channel of a stage answers each picture, (n,), and the gradient of that by the pixels.

    channels   (n,) one for each picture (n, height, width, C) 0..255
    centre     of the unit in the middle alone, or the mean over all places
    """
    network = engine.network
    with ready(engine, images) as pixels, frozen(network), listening_at(network, [stage]) as found:
        pixels.requires_grad_()
        network(pixels)
        maps = found[stage][range(len(images)), channels.tolist()]  # (n, H', W')
        values = maps[:, maps.shape[1] // 2, maps.shape[2] // 2] if centre else maps.mean((1, 2))
        (slopes,) = torch.autograd.grad(values.sum(), [pixels])
        scale = torch.from_numpy(engine.config.preprocessing.affine()[0]).to(engine.device)
        return as_numpy(values.detach()), as_numpy((slopes * scale).permute(0, 2, 3, 1))


def first_filters(engine: TorchEngine) -> tuple[str, Floats] | None:
    """Name and weights (F, C, height, width) of the first convolution, if it reads the pixels."""
    for name, module in engine.network.body.named_modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight.detach()
            return (name, as_numpy(weight)) if weight.shape[1] == engine.config.preprocessing.channels else None
    return None


@contextlib.contextmanager
def listening_at(network: Network, stages: Sequence[str]) -> Iterator[dict[str, torch.Tensor]]:
    """What stages give in the last pass that is run inside, by their names."""
    found = dict[str, torch.Tensor]()

    def note(name: str, module: nn.Module, inputs: object, output: torch.Tensor) -> None:
        found[name] = output.clone()  # what comes next may write into it

    with contextlib.ExitStack() as handles:
        for name in stages:
            module = network.body.get_submodule(name)
            handles.callback(module.register_forward_hook(partial(note, name)).remove)
        yield found
