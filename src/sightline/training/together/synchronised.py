"""Batch normalisation over all processes. Comes in: a network; goes out: the same, by torch's SyncBatchNorm.

PyTorch has it for GPUs alone. Weights keep their names, so that what is saved is an ordinary network. Must not know
how processes find each other.
"""

import torch
from torch import nn

from sightline.engines.torch import default_device
from sightline.errors import ConfigError
from sightline.models import Network
from sightline.training.recipe import Recipe

_TORCHS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def check(recipe: Recipe, num_processes: int) -> None:
    """Raises ConfigError where the recipe wants what several processes cannot do on this device."""
    if recipe.sync_batchnorm and num_processes > 1 and default_device().type != "cuda":
        raise ConfigError(
            f"sync_batchnorm = true with {num_processes} processes: PyTorch synchronises batch normalisation on GPUs "
            "alone, and there is none here; leave it out, or train in one process, whose batches are whole"
        )


def synchronise(network: Network) -> None:
    """Have every batch normalisation count the pictures of all processes, in place. Eval mode is as before."""
    network.body = _converted(network.body)


def _converted(body: nn.Module) -> nn.Module:
    normalised = [m for m in body.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if all(type(module) in _TORCHS for module in normalised):
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(body)  # type: ignore[no-untyped-call]  # of torch
        return converted
    from timm.layers import BatchNormAct2d, convert_sync_batchnorm  # type: ignore[attr-defined]  # of timm

    for module in normalised:
        if type(module) not in (*_TORCHS, BatchNormAct2d):
            raise ConfigError(f"sync_batchnorm = true: how to synchronise {type(module).__name__} is not known here")
    with torch.no_grad():  # torch's own would lose the activation that timm's layers hold
        both: nn.Module = convert_sync_batchnorm(body)  # type: ignore[no-untyped-call]  # of timm
    return both
