"""Whether a pruned network is the network that it came from without some of its channels. Comes in: both, and which
channels were kept; goes out: how far apart their answers are.

The whole network answers with those channels closed, where a layer would read them. Reading and writing are traced by
another package, and a network's own code may deal with channels in ways that it does not see, as shuffling them; so
what comes out of it is computed both ways. Must not know how channels were chosen.
"""

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sightline.training.pruning.channels import Kept


@torch.no_grad()
def distance(whole: nn.Module, pruned: nn.Module, kept: Kept, pictures: Tensor) -> float:
    """The farthest that answers to `pictures` (N, C, H, W) are apart, as a share of the largest; in evaluation mode."""
    twin = copy.deepcopy(whole).eval()
    for name, module in twin.named_modules():
        if name in kept.inputs and isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_pre_hook(_closing(module, kept.inputs[name]))
        elif name in kept.outputs and isinstance(module, nn.LayerNorm):
            module.register_forward_hook(_normalising(module, kept.outputs[name]))
    wanted, found = twin(pictures), pruned.eval()(pictures)
    if found.shape != wanted.shape:
        return float("inf")
    return float((found - wanted).abs().max() / wanted.abs().max().clamp_min(1e-12))


def _closing(module: nn.Module, kept: Tensor) -> Callable[[nn.Module, tuple[Tensor, ...]], tuple[Tensor, ...]]:
    """Only the kept channels come in."""

    def close(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x = inputs[0]
        axis = 1 if isinstance(module, nn.Conv2d) else x.ndim - 1
        stays = torch.zeros(x.shape[axis], dtype=x.dtype, device=x.device)
        stays[kept.to(x.device)] = 1
        return (x * stays.reshape([-1 if i == axis else 1 for i in range(x.ndim)]),)

    return close


def _normalising(module: nn.LayerNorm, kept: Tensor) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]:
    """Layer normalisation over the kept channels; others are zero."""

    def normalise(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        x, own = inputs[0], kept.to(output.device)
        axis = 1 if "2d" in type(module).__name__ else x.ndim - 1  # torchvision's and timm's LayerNorm2d
        bias = None if module.bias is None else module.bias[own]
        values = F.layer_norm(x.movedim(axis, -1)[..., own], (len(own),), module.weight[own], bias, module.eps)
        found = torch.zeros_like(x.movedim(axis, -1))
        found[..., own] = values
        return found.movedim(-1, axis)

    return normalise
