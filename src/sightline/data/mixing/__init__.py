"""Mixing of pictures and their labels: one file, one way, each a function of (seed, epoch, sample index).

A picture's partner is the next one in the epoch's order, wherever batches end, so that a batch's make-up changes
nothing. Each module exposes `mix(images, partners, draw) -> (images, shares)`: uint8 or float32 0..255 (N, C, H, W),
both augmented already, and float64 (N,) the share of its own label that each picture keeps; the rest is its partner's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.data.augment import Draw
from sightline.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

MIXINGS = Registry("sightline.data.mixing", "way of mixing", ("mix",))


def mix(names: tuple[str, ...], images: Tensor, partners: Tensor, draw: Draw) -> tuple[Tensor, NDArray[np.float64]]:
    """Mix each picture in one of the named ways; where there are several, each as often as another."""
    import torch

    if len(names) == 1:
        mixed: tuple[Tensor, NDArray[np.float64]] = MIXINGS.get(names[0]).mix(images, partners, draw)
        return mixed
    ways = (draw.uniform("mixing")[:, 0] * len(names)).astype(np.int64)
    shares, done = np.ones(len(images)), torch.empty_like(images)
    for way, name in enumerate(names):
        rows = np.flatnonzero(ways == way)
        if len(rows):
            part = replace(draw, indices=draw.indices[rows])
            at = torch.from_numpy(rows).to(images.device)
            done[at], shares[rows] = MIXINGS.get(name).mix(images[at], partners[at], part)
    return done, shares
