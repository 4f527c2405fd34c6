"""Mirror left and right, each picture with probability one half."""

import numpy as np
import torch

from sightline.data.augment import Draw, View, framed

MAY_CHANGE_LABEL = True


def augment(view: View, draw: Draw) -> View:
    """(N, C, H, W) -> same shape."""
    view = framed(view)
    pictures = view.images.cpu().permute(0, 2, 3, 1).numpy().copy()  # (N, H, W, C)
    backwards = np.arange(pictures.shape[2] - 1, -1, -1)
    for n in np.flatnonzero(draw.uniform("flip")[:, 0] < 0.5):
        pictures[n] = pictures[n].take(backwards, axis=1)  # half the time of a mirrored view, which copies byte by byte
    return view.replaced(torch.from_numpy(pictures).permute(0, 3, 1, 2).to(view.images.device))
