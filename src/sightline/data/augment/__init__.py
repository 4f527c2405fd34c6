"""Augmentations of whole batches: one file, one augmentation, each a function of (seed, epoch, sample index).

Each module exposes `augment(view, draw) -> view`, and `MAY_CHANGE_LABEL`, true where a picture's class could
change (a mirrored digit). The random numbers come from `Draw` alone, so a batch's make-up, the number of
workers or a resumed run change nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

AUGMENTATIONS = Registry("sightline.data.augment", "augmentation", ("augment", "MAY_CHANGE_LABEL"))


# Numbers augmented at once, 42 canvases of 256 px. In smaller parts, which the cache would hold, a policy finds next to
# no pictures to do an operation on together; larger ones are memory that the system has to find for every batch.
PART = 2**23


@dataclass(frozen=True)
class View:
    """A batch on its way to the network.

    images   uint8 or float32 0..255 (N, C, h, w); picture n fills the top left corner, sizes[n] pixels large
    sizes    (N, 2) height and width of each picture
    frame    height and width that the network takes
    """

    images: Tensor
    sizes: NDArray[np.int64]
    frame: tuple[int, int]

    def part(self, rows: slice) -> View:
        """Some of the pictures."""
        return replace(self, images=self.images[rows], sizes=self.sizes[rows])

    def replaced(self, images: Tensor) -> View:
        """The same batch with other pixels, which fill the frame."""
        assert images.shape[2:] == self.frame, f"{tuple(images.shape)} does not fill the frame {self.frame}"
        return replace(self, images=images, sizes=np.full_like(self.sizes, self.frame))


def augmented(view: View, draw: Draw, names: Sequence[str]) -> Tensor:
    """The named augmentations, one after another: (N, C, height, width) of the frame."""
    import torch

    size = max(1, PART // view.images[0].numel())
    done = []
    for start in range(0, len(view.images), size):
        part, own = view.part(slice(start, start + size)), draw.part(slice(start, start + size))
        for name in names:
            part = AUGMENTATIONS.get(name).augment(part, own)
        done.append(framed(part).images)
    return done[0] if len(done) == 1 else torch.cat(done)


def framed(view: View) -> View:
    """The middle of each picture, as large as the frame: what evaluation sees."""
    import torch

    height, width = view.frame
    if (view.sizes == view.frame).all():
        return view
    corners = (view.sizes - view.frame) // 2
    pictures = view.images.permute(0, 2, 3, 1)  # stacked as (N, H, W, C), so that channels stay last in memory
    cut = [pictures[n, y : y + height, x : x + width] for n, (y, x) in enumerate(corners)]
    return view.replaced(torch.stack(cut).permute(0, 3, 1, 2))


@dataclass(frozen=True)
class Draw:
    """Uniform random numbers for the samples of a batch: a hash of (seed, epoch, sample index, purpose)."""

    seed: int
    epoch: int
    indices: NDArray[np.int64]  # (N,)

    def part(self, rows: slice) -> Draw:
        """Of some of the samples."""
        return replace(self, indices=self.indices[rows])

    def uniform(self, purpose: str, count: int = 1) -> NDArray[np.float64]:
        """(N, count) numbers in [0, 1)."""
        key = _mix(np.uint64(self.seed & 0xFFFFFFFFFFFFFFFF) ^ np.uint64(zlib.crc32(purpose.encode()) << 20))
        key = _mix(key ^ np.uint64(self.epoch & 0xFFFFFFFFFFFFFFFF))
        sample = _mix(key ^ self.indices.astype(np.uint64))  # (N,)
        columns = np.arange(1, count + 1, dtype=np.uint64)
        bits = _mix(sample[:, None] + columns * np.uint64(0x9E3779B97F4A7C15))  # (N, count)
        return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(x: NDArray[np.uint64] | np.uint64) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood, 2014), elementwise and modulo 2**64."""
    x = np.atleast_1d(np.asarray(x, np.uint64))
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
