"""Muon: momentum, then the nearest orthogonal matrix in its place (Jordan et al., 2024). For filters of convolutions.

Comes in: filters (K, C, h, w) that normalisation follows, seen as matrices (K, C*h*w), and their gradients; changed in
place. Such filters answer the same at any norm, so theirs is held at that of an orthogonal matrix: then the rate is the
angle of a step, whatever the layer and its gradient's size. Must not know recipes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sightline.errors import ConfigError
from sightline.models import Network

# Of the quintic whose repeated use drives singular values to about 1; not exactly, which a step does not need.
A, B, C = 3.4445, -4.7750, 2.0315
NUM_ITERATIONS = 3


NORMALISING = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)


def suits(network: Network) -> bool:
    """Whether it normalises anything; else it would feel that the norm of its filters is held."""
    return any(isinstance(module, NORMALISING) for module in network.modules())


def check(network: Network) -> None:
    """Raise ConfigError for a network that it does not suit."""
    if not suits(network):
        raise ConfigError(
            f"optimizer = muon: it holds the norm of filters, and {network.architecture} normalises nothing; "
            "take sgd or adamw"
        )


@torch.no_grad()
def step(
    filters: Sequence[Tensor], gradients: Sequence[Tensor], momenta: Sequence[Tensor], rate: float, momentum: float
) -> None:
    """Turn each filter by about `rate`, with Nesterov's `momentum`; `momenta` begin as zeros."""
    for weights, gradient, moving in zip(filters, gradients, momenta, strict=True):
        torch.add(gradient, moving, alpha=momentum, out=moving)
        direction = gradient.add(moving, alpha=momentum)
        if direction.is_contiguous(memory_format=torch.channels_last):  # in the order of its memory: columns have none
            direction = direction.permute(0, 2, 3, 1)
            direction = orthogonal(direction.flatten(1)).view_as(direction).permute(0, 3, 1, 2)
        else:
            direction = orthogonal(direction.flatten(1)).view_as(direction)
        weights.mul_(len(weights) ** 0.5 / weights.norm().clamp_min(1e-12)).add_(direction, alpha=-rate)


def orthogonal(matrix: Tensor) -> Tensor:
    """(K, D) -> about U V' of its U S V', in float32; in bfloat16 inside where the processor multiplies that faster.

    A step of the iteration is x -> p x, where p = A + B x x' + C (x x')^2. So the steps are taken on the squares x x',
    which are small, and their product is applied to x at the end: two long products in all, in place of two a step.
    """
    is_tall = len(matrix) > matrix.shape[1]
    x = (matrix.T if is_tall else matrix).to(_fast_type(matrix.device))
    square = x @ x.T
    size = square.diagonal().float().sum().clamp_min(1e-24)  # the sum of its squared singular values
    square = square / size
    product = step = _polynomial(square)
    for _ in range(NUM_ITERATIONS - 1):
        square = step @ square @ step
        step = _polynomial(square)
        product = step @ product
    found = (product / size.sqrt()) @ x
    return (found.T if is_tall else found).float()


def _polynomial(square: Tensor) -> Tensor:
    found = torch.addmm(square, square, square, beta=B, alpha=C)
    found.diagonal().add_(A)
    return found


def _fast_type(device: torch.device) -> torch.dtype:
    if device.type == "cpu":
        return torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
