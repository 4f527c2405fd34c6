"""Mirror left and right, each picture in every second epoch; which of them begin, chance decides (Jordan, 2024).

In two epochs every picture is seen both ways; drawn anew each time, a half of them would be seen one way twice.
"""

from dataclasses import replace

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
    begins_mirrored = replace(draw, epoch=0).uniform("flip")[:, 0] < 0.5
    return np.asarray(begins_mirrored ^ (draw.epoch % 2 == 1))


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
