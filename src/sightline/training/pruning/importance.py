"""What each channel of a network is worth, and what it costs. Comes in: a trained network and labelled pictures; goes
out: numbers by layer and channel.

A channel is worth the square of what the loss would change by if it were closed, to first order, mean over the pictures
(Molchanov et al., 2017, Pruning convolutional neural networks for resource efficient inference; 2019, Importance
estimation for neural network pruning). Must not know what is taken away.
"""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Forward = Callable[[Tensor], Tensor]
LAYERS = (nn.Conv2d, nn.Linear)
NORMS = (nn.modules.batchnorm._BatchNorm,)


@dataclass(frozen=True)
class Layer:
    """`worth` (C,) of its output's channels; `positions`: points of its output's map, 1 where it has none."""

    worth: Tensor
    positions: int


def layers_of(body: nn.Module, losses: Iterable[Tensor], num_pictures: int) -> dict[str, Layer]:
    """Of each convolution, linear layer and batch normalisation by its name. `losses`: a mean for each batch, computed
    when it is asked for, by `body` in evaluation mode, `num_pictures` in all."""
    sums, positions = dict[str, Tensor](), dict[str, int]()
    gates = dict[str, Tensor]()

    def gated(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor | None]:
        def gate(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
            axis = -1 if isinstance(module, nn.Linear) else 1
            shape = [len(output), *(1 for _ in output.shape[1:])]
            shape[axis] = output.shape[axis]
            gates[name] = output.new_ones(shape, requires_grad=True)  # one a picture and channel
            positions[name] = output[0].numel() // output.shape[axis]
            return output * gates[name]

        return gate

    with ExitStack() as hooks:
        for name, module in body.named_modules():
            if isinstance(module, (*LAYERS, *NORMS)):
                hooks.callback(module.register_forward_hook(gated(name)).remove)
        for loss in losses:
            names = list(gates)
            found = torch.autograd.grad(loss, [gates[name] for name in names], allow_unused=True)
            for name, gradient in zip(names, found, strict=True):
                num = len(gates[name])  # the loss is their mean, so a picture's own gradient is as many times as large
                if gradient is not None:
                    square = (num * gradient.flatten(1)).square().sum(0) / num_pictures
                    sums[name] = sums.get(name, torch.zeros_like(square)) + square
            gates.clear()
    return {name: Layer(worth.cpu(), positions[name]) for name, worth in sums.items()}
