"""The views of a picture whose answers are averaged: as it is, mirrored, shifted by a few pixels.

Comes in: a batch as the network takes it; goes out: views of it with their weights, whose sum is 1. Which ones a run
averages over is settled when it is trained. Must not know networks.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F

SHIFT = 1 / 32  # of the side


def averaged(
    answer: Callable[[torch.Tensor], tuple[torch.Tensor, ...]], images: torch.Tensor, names: Sequence[str]
) -> tuple[torch.Tensor, ...]:
    """(N, C, H, W) -> logits (N, K), the weighted mean over the views; then all that `answer` gives of the first view.

    `answer` gives logits first. All views are answered at once: of small pictures several batches take hardly longer
    than one.
    """
    weights, found = zip(*views(images, names), strict=True)
    answered = answer(torch.cat(found) if len(found) > 1 else images)
    num = images.shape[0]  # not `len`, which a tracer takes for a constant
    logits = answered[0].view(len(found), num, -1)
    mean = (torch.tensor(weights, device=logits.device)[:, None, None] * logits).sum(0)
    return mean, *(values[:num] for values in answered)


def views(images: torch.Tensor, names: Sequence[str]) -> Iterator[tuple[float, torch.Tensor]]:
    """Each view with its weight, of images' own shape and layout; the first are the images as they are."""
    for weight, view in _shifted(images) if "shift" in names else [(1.0, images)]:
        if "flip" in names:
            yield weight / 2, view
            yield weight / 2, view.flip(3)
        else:
            yield weight, view


def _shifted(images: torch.Tensor) -> Iterator[tuple[float, torch.Tensor]]:
    """As they are, with half of the weight; up and left, and down and right. Borders are mirrored."""
    height, width = images.shape[2:]
    y, x = (min(max(1, round(SHIFT * side)), side - 1) for side in (height, width))
    around = F.pad(images, (x, x, y, y), mode="reflect")
    yield 0.5, images
    yield 0.25, around[:, :, :height, :width]
    yield 0.25, around[:, :, 2 * y :, 2 * x :]


def num_views(names: Sequence[str]) -> int:
    """How many answers one takes."""
    return (3 if "shift" in names else 1) * (2 if "flip" in names else 1)
