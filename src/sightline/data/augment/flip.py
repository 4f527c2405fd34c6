"""Mirror left and right, each picture with probability one half."""

import torch

from sightline.data.augment import Draw, View, framed

MAY_CHANGE_LABEL = True


def augment(view: View, draw: Draw) -> View:
    """(N, C, H, W) -> same shape."""
    view = framed(view)
    mirrored = torch.from_numpy(draw.uniform("flip")[:, 0] < 0.5)
    images = torch.where(mirrored[:, None, None, None], view.images.flip(3), view.images)
    return view.replaced(images)
