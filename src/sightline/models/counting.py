"""Counts a network's work. Comes in: a way to make it; goes out: parameters and multiply-adds, or None."""

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from sightline.models.network import AUXILIARY_PREFIXES
from sightline.models.sizes import Make, on_meta


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
