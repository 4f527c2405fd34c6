"""The exponential moving average of a network's weights, which answers in their place (Polyak and Juditsky, 1992).

Comes in: a network that trains; goes out: the same network with its averages in it, for a while. Must not know recipes.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """Of all floating-point weights and running statistics. `share`: of a training, that it remembers; 0: no average.

    A step weighs 1/e of the newest when the share of the training lies between them; at first all weigh the same.
    """

    def __init__(self, network: nn.Module, share: float) -> None:
        self.share = share
        self._own = {n: t for n, t in network.state_dict().items() if t.is_floating_point()} if share else {}
        self.tensors = {name: tensor.clone() for name, tensor in self._own.items()}

    @torch.no_grad()
    def add(self, before: float, done: float) -> None:
        """The weights after a step, by which the share of the training that is done grew from `before`."""
        if self.tensors and done > before:
            weight = max(1 - math.exp((before - done) / self.share), (done - before) / done)
            torch._foreach_lerp_(list(self.tensors.values()), list(self._own.values()), weight)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take averages that `tensors` held."""
        for name, tensor in self.tensors.items():
            tensor.copy_(tensors[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The network has its averages; the weights that train come back at the end."""
        self.swap()
        try:
            yield
        finally:
            self.swap()

    @torch.no_grad()
    def swap(self) -> None:
        for name, own in self._own.items():
            training = own.clone()
            own.copy_(self.tensors[name])
            self.tensors[name].copy_(training)
