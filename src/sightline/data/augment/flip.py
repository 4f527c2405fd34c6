"""Mirror left and right, each picture with probability one half."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.data.augment import Draw, View

MAY_CHANGE_LABEL = True


def augment(view: View, draw: Draw) -> View:
    """(N, C, H, W) -> same shape."""
    return mirrored(view, chosen(draw), 3)


def chosen(draw: Draw) -> NDArray[np.bool_]:
    """Which pictures (N,) are mirrored."""
    return draw.uniform("flip")[:, 0] < 0.5


def mirrored(view: View, chosen: NDArray[np.bool_], axis: int) -> View:
    """Those images that are `chosen` (N,) mirrored along an axis.

    One by one, unless they are one tensor: to sort them out and in again takes three times as long at 128 px.
    """
    if view.is_whole:
        mask = torch.from_numpy(chosen).to(view.images.device)[:, None, None, None]
        return view.replaced(_either(mask, view.images.flip(axis), view.images))
    images = zip(view.singles, chosen.tolist(), strict=True)
    return view.replaced([image.flip(axis) if is_chosen else image for image, is_chosen in images])


def _either(mask: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """`torch.where`, which on a processor takes ten times as long: bool (N, 1, 1, 1), two batches -> one."""
    if yes.dtype == torch.uint8:
        bits = mask.view(torch.uint8) * 255
        return (yes & bits) | (no & ~bits)
    share = mask.to(yes.dtype)
    return (yes * share).add_(no * (1 - share))
