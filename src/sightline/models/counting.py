"""Counts a network's work. Comes in: it, or a way to make it; goes out: parameters and multiply-adds, or None."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from sightline.models.network import AUXILIARY_PREFIXES, Network
from sightline.models.sizes import Make, on_meta


@dataclass(frozen=True)
class Size:
    """`multiply_adds`: of one image."""

    parameters: int
    multiply_adds: int

    @staticmethod
    def of(network: Network) -> "Size":
        """Of all that answers; it runs once for it."""
        named = network.body.named_parameters()
        num = sum(parameter.numel() for name, parameter in named if not name.startswith(AUXILIARY_PREFIXES))
        return Size(num, multiply_adds(network))

    def beside(self, other: "Size") -> str:
        """What is left of another, in words."""
        return (
            f"{self.multiply_adds / 1e6:,.1f} M multiply-adds of {other.multiply_adds / 1e6:,.1f} M "
            f"({self.multiply_adds / other.multiply_adds:.0%}), {self.parameters / 1e6:,.2f} M parameters of "
            f"{other.parameters / 1e6:,.2f} M ({self.parameters / other.parameters:.0%})"
        )


def multiply_adds(network: Network) -> int:
    """Of one image, as `count` has them, of a network as it is: it runs once for it, in evaluation mode."""
    counter = FlopCounterMode(display=False)
    with network.resting() as picture, torch.no_grad(), counter:
        network(picture)
    return int(counter.get_total_flops()) // 2


def count(make: Make, input_size: tuple[int, int, int]) -> tuple[int, int | None] | None:
    """Parameters, and multiply-adds of one image (C, H, W): its convolutions and matrix products.

    Counted on the meta device, which computes no numbers. Auxiliary heads, which training alone uses, do not
    count. The second is None for a network that cannot run there; the whole is None for one that
    gives no logits (N, K). Raises what `make` raises.
    """
    with torch.device("meta"), torch.no_grad():
        body = on_meta(make, input_size[1:]).eval()
        answering = [p for name, p in body.named_parameters() if not name.startswith(AUXILIARY_PREFIXES)]
        num_parameters = sum(parameter.numel() for parameter in answering)
        counter = FlopCounterMode(display=False)
        try:
            with counter:
                output = body(torch.empty(1, *input_size))
        except Exception:  # any layer of any network may need real numbers
            return num_parameters, None
    if not isinstance(output, Tensor) or output.ndim != 2:
        return None
    return num_parameters, int(counter.get_total_flops()) // 2  # a multiply-add is two operations
