"""Shift by a few pixels: pad with the edge's own pixels and cut the frame out again (Krizhevsky's CIFAR crop)."""

import numpy as np
import torch

from sightline.data.augment import Draw, View

MAY_CHANGE_LABEL = False
SHARE = 0.09  # of the side: 2 pixels of 28, 3 of 32; more lowers MNIST and CIFAR alike


def augment(view: View, draw: Draw) -> View:
    """(N, C, H, W) -> same shape, each picture shifted by whole pixels in both directions."""
    reach = [max(1, int(SHARE * side)) for side in view.frame]
    shifts = draw.uniform("pad_crop", 2) * (2 * np.array(reach) + 1)  # (N, 2)
    rows, columns = (
        torch.from_numpy((np.arange(side) + np.floor(shifts[:, [axis]]) - reach[axis]).astype(np.int64))
        .clamp_(0, side - 1)
        .to(view.images.device)
        for axis, side in enumerate(view.frame)
    )  # (N, H), (N, W)
    n, channels, height, width = view.images.shape
    # Of one axis where there is one channel: that selection is four times as fast.
    pixels = view.images.permute(0, 2, 3, 1).reshape(-1, channels).squeeze(1)
    first = height * torch.arange(n, device=view.images.device)[:, None]
    places = ((first + rows) * width)[:, :, None] + columns[:, None, :]  # (N, H, W) in all the batch's pixels
    shifted = pixels.index_select(0, places.view(-1)).view(n, height, width, channels)
    return view.replaced(shifted.permute(0, 3, 1, 2))
