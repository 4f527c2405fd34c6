"""Augmentations of whole batches: one file, one augmentation, each a function of (seed, epoch, sample index).

Each module exposes `augment(view, draw) -> view`, and `MAY_CHANGE_LABEL`, true where a picture's class could
change (a mirrored digit). The random numbers come from `Draw` alone, so a batch's make-up, the number of
workers or a resumed run change nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any  # what holds arrays first, tensors then

import numpy as np
from numpy.typing import NDArray

from sightline.data.preprocess import Pixels
from sightline.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

AUGMENTATIONS = Registry("sightline.data.augment", "augmentation", ("augment", "MAY_CHANGE_LABEL"))


# Numbers augmented at once, 32 canvases of 256 x 341 px: with a quarter of it the drawing, 0.2 ms for however many
# pictures, and the joining of the parts show; without a limit the intermediate results leave the cache.
PART = 2**23


@dataclass(frozen=True)
class View:
    """A batch on its way to the network.

    pictures  N of uint8 or float32 0..255, each at least as large as the frame: arrays (h, w, C) or tensors
              (1, C, h, w), of any sizes, or one tensor (N, C, h, w). No augmentation writes into them
    frame     height and width that the network takes
    """

    pictures: Sequence[Pixels | Tensor] | Tensor
    frame: tuple[int, int]

    @property
    def is_whole(self) -> bool:
        """Whether it is one tensor, as sets of small pictures are: then operations on all at once are the fastest."""
        return not isinstance(self.pictures, Sequence)

    @cached_property
    def images(self) -> Tensor:
        """(N, C, height, width): the middle of each picture, as evaluation sees it; float32 if one of them is."""
        import torch

        return torch.cat(self.singles) if isinstance(self.pictures, Sequence) else self._middle(self.pictures)

    @property
    def singles(self) -> list[Tensor]:
        """The images one by one, (1, C, height, width)."""
        import torch

        if isinstance(self.pictures, Sequence):
            return [self._middle(picture) for picture in self.pictures]
        return list(torch.split(self.images, 1))

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(N, 2): height and width of each picture."""
        if isinstance(self.pictures, Sequence):
            return np.array([size_of(picture) for picture in self.pictures], np.int64)
        return np.tile(np.array(size_of(self.pictures), np.int64), (len(self.pictures), 1))

    def cut(self, boxes: NDArray[np.int64]) -> Iterator[Tensor]:
        """A part of each picture, (1, C, h, w). `boxes` (N, 4): top, left, height, width."""
        import torch

        pictures = self.pictures
        if not isinstance(pictures, Sequence):
            on_processor = pictures.device.type == "cpu"  # where arrays are cut faster
            pictures = list(pictures.permute(0, 2, 3, 1).numpy()) if on_processor else torch.split(pictures, 1)
        return (part_of(picture, *box) for picture, box in zip(pictures, boxes.tolist(), strict=True))

    def part(self, rows: slice) -> View:
        """Some of the pictures."""
        return View(self.pictures[rows], self.frame)

    def replaced(self, images: Sequence[Tensor] | Tensor) -> View:
        """The same batch with other pixels, which fill the frame: (N, C, height, width), or as `singles`."""
        assert size_of(images[0]) == self.frame, f"{size_of(images[0])} does not fill the frame {self.frame}"
        return View(images, self.frame)

    def _middle(self, picture: Pixels | Tensor) -> Tensor:
        size, (height, width) = size_of(picture), self.frame
        if size == self.frame and not isinstance(picture, np.ndarray):
            return picture
        return part_of(picture, (size[0] - height) // 2, (size[1] - width) // 2, height, width)


def size_of(picture: Pixels | Tensor) -> tuple[int, int]:
    """Height and width of an array (h, w, C) or a tensor (..., h, w)."""
    height, width = picture.shape[:2] if isinstance(picture, np.ndarray) else picture.shape[-2:]
    return height, width


def part_of(picture: Pixels | Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    """A copy of a rectangle of an array (h, w, C), or of all tensors (N, C, h, w) at once, channels last in memory.

    numpy cuts in half of the time that torch takes; and torch is slower still where it does not see rows of pixels.
    """
    import torch

    rows, columns = slice(top, top + height), slice(left, left + width)
    if isinstance(picture, np.ndarray):
        pixels = torch.from_numpy(picture[rows, columns].copy())[None]
    else:
        pixels = picture.permute(0, 2, 3, 1)[:, rows, columns].contiguous()
    return pixels.permute(0, 3, 1, 2)


def augmented(view: View, draw: Draw, names: Sequence[str]) -> Tensor:
    """The named augmentations, one after another: (N, C, height, width) of the frame.

    Pictures of 8 bits are rounded after each, those of float32 are not; where both are in a batch, each by itself.
    """
    import torch

    kinds = [] if view.is_whole else [str(picture.dtype).removeprefix("torch.") for picture in view.pictures]
    if len(set(kinds)) > 1:
        found: list[Any] = list(view.pictures)  # each of which is replaced by a Tensor
        for kind in sorted(set(kinds)):
            rows = np.flatnonzero(np.array(kinds) == kind)
            some = View([view.pictures[row] for row in rows.tolist()], view.frame)
            for row, image in zip(rows.tolist(), torch.split(augmented(some, draw.part(rows), names), 1), strict=True):
                found[row] = image
        return torch.cat(found)
    size = max(1, PART // prod(view.pictures[0].shape))
    done = []
    for start in range(0, len(view.pictures), size):
        part, own = view.part(slice(start, start + size)), draw.part(slice(start, start + size))
        for name in names:
            part = AUGMENTATIONS.get(name).augment(part, own)
        done.append(part.images)
    return done[0] if len(done) == 1 else torch.cat(done)


@dataclass(frozen=True)
class Draw:
    """Uniform random numbers for the samples of a batch: a hash of (seed, epoch, sample index, purpose)."""

    seed: int
    epoch: int
    indices: NDArray[np.int64]  # (N,)

    def part(self, rows: slice | NDArray[np.intp]) -> Draw:
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
