"""A network whose upper half has forgotten what it learned. Comes in: an engine; goes out: another one.

The weights of each layer are the same numbers in another order, so that they are as large as they were; what its
normalisation knows of the layers below is learned anew from some pictures. The given engine stays as it is.
"""

import copy

import numpy as np
import torch
from torch import nn

from sightline.data.warp import Floats
from sightline.engines.torch import TorchEngine, exactly, normalised

LAYERS = (nn.Conv2d, nn.Linear)


def upper_half_forgotten(engine: TorchEngine, pixels: Floats, seed: int) -> TorchEngine:
    """`pixels` (N, height, width, C) 0..255, of which normalisation takes its statistics; N at least 2."""
    network = copy.deepcopy(engine.network)
    modules = [module for module in network.modules() if isinstance(module, (*LAYERS, nn.BatchNorm2d))]
    layers = [place for place, module in enumerate(modules) if isinstance(module, LAYERS)]
    upper = modules[layers[len(layers) // 2] :]
    random = np.random.default_rng([seed, 0xF0])
    for module in upper:
        if isinstance(module, LAYERS):
            weight = module.weight.detach()
            order = torch.from_numpy(random.permutation(weight.numel())).to(weight.device)
            weight.copy_(weight.flatten()[order].view_as(weight))
    if network.stage_head is not None:
        weight = network.stage_head.weight.detach()
        weight.copy_(
            weight.flatten()[torch.from_numpy(random.permutation(weight.numel())).to(weight.device)].view_as(weight)
        )
    _take_statistics(network.eval(), [module for module in upper if isinstance(module, nn.BatchNorm2d)], engine, pixels)
    return TorchEngine(network.eval(), engine.config, engine.device)


def _take_statistics(network: nn.Module, norms: list[nn.BatchNorm2d], engine: TorchEngine, pixels: Floats) -> None:
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    with torch.no_grad(), exactly(engine.config.num_threads, engine.device):
        images = torch.from_numpy(pixels[: engine.batch_size]).to(engine.device).permute(0, 3, 1, 2)
        network(normalised(images, engine.config.preprocessing, engine.config.channels_last))
