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


def check(network: Network) -> None:
    """Raise ConfigError for a network that would feel that the norm of its filters is held."""
    if not any(isinstance(module, NORMALISING) for module in network.modules()):
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
        moving.mul_(momentum).add_(gradient)
        direction = orthogonal(gradient.add(moving, alpha=momentum).flatten(1))
        weights.mul_(len(weights) ** 0.5 / weights.norm().clamp_min(1e-12))
        weights.add_(direction.view_as(weights), alpha=-rate)


def orthogonal(matrix: Tensor) -> Tensor:
    """(K, D) -> about U V' of its U S V', in float32; in bfloat16 inside where the processor multiplies that faster."""
    is_tall = len(matrix) > matrix.shape[1]
    x = matrix.T if is_tall else matrix
    x = (x / x.norm().clamp_min(1e-12)).to(_fast_type(matrix.device))
    for _ in range(NUM_ITERATIONS):
        square = x @ x.T
        x = A * x + (B * square + C * square @ square) @ x
    found: Tensor = x.T if is_tall else x
    return found.float()


def _fast_type(device: torch.device) -> torch.dtype:
    if device.type == "cpu":
        return torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
