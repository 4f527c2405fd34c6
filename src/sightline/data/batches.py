"""Batches for training. Comes in: a Dataset, the rows that train and what `scan` kept; goes out: images and labels.

The order of an epoch and every augmentation are functions of (seed, epoch, sample index), so neither the number
of workers nor the memory at hand changes what is learned. Must not know networks.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.data.ahead import ahead
from sightline.data.augment import Draw, View, augmented
from sightline.data.augment._ops import scaled
from sightline.data.dataset import Dataset, Streamed
from sightline.data.mixing import MIXINGS, mix
from sightline.data.packs.canvases import Canvases
from sightline.data.preprocess import Pixels, Preprocessing
from sightline.data.reading.scan import in_threads, reason_or
from sightline.data.sampling import balanced, copies
from sightline.errors import DataError

SAMPLE = 2**21  # numbers: 2,675 pictures of 28x28, 683 of 3x32x32


@dataclass(frozen=True)
class Batch:
    """images uint8 or float32 0..255 (N, C, height, width), labels int64 (N,), rows int64 (N,) of the data set.

    Where pictures are mixed: the labels of their partners, int64 (N,), and the shares, float32 (N,), that the pictures
    keep of their own labels.
    """

    images: Tensor
    labels: Tensor
    rows: NDArray[np.int64]
    partner_labels: Tensor | None = None
    shares: Tensor | None = None

    def first(self, num: int) -> "Batch":
        """The first pictures."""
        return self.part(0, num)

    def part(self, begin: int, end: int) -> "Batch":
        """The pictures from number `begin` up to `end`."""
        own = slice(begin, end)
        partners, shares = (None if t is None else t[own] for t in (self.partner_labels, self.shares))
        return Batch(self.images[own], self.labels[own], self.rows[own], partners, shares)


@dataclass(frozen=True)
class Batches:
    """The training rows, batch by batch, shuffled and augmented anew each epoch.

    Batches are made ahead of their use, in a thread; with `num_workers` 0 in the caller's, when asked for. So are those
    of pictures that lie in memory where the same cores compute the steps (`shares_cores`): a thread that takes one of
    them for a while keeps all of a step waiting.
    """

    dataset: Dataset
    rows: NDArray[np.intp]
    canvases: Sequence[Pixels] | Pixels | None
    preprocessing: Preprocessing
    augmentations: tuple[str, ...]
    batch_size: int
    seed: int
    num_workers: int | None = None
    part: tuple[int, int] = (0, 1)  # rank and number of the processes that share each batch
    shares_cores: bool = False
    is_balanced: bool = False  # every class equally often, as many pictures an epoch
    sizes: tuple[int, ...] = ()  # long sides of the frame, for equal shares of a training; none: that of answers
    side: int | None = None  # the one of now

    def __len__(self) -> int:
        """Batches an epoch, the same on every rank. A last, smaller one is left for another epoch, unless alone."""
        return max(1, len(self.rows) // self.batch_size)

    def epoch(self, epoch: int, start: int = 0) -> Generator[Batch]:
        """The batches of one epoch, from number `start` on; of each this process's share, which differ by one at most.

        Together they are what one process would have, where pictures do not lie in large files.
        """
        order = self._order(epoch)
        ends = [self._own(i * self.batch_size) for i in range(start, len(self) + 1)]
        return self._batches([self._chunk(order, begin, end) for begin, end in pairwise(ends)], epoch)

    def _order(self, epoch: int) -> NDArray[np.intp]:
        """This process's rows; what comes once more counts on from the data set's end, and is augmented otherwise."""
        if not self.is_balanced:
            return self.dataset.order(self.seed, epoch, self.rows, self.part)
        rows = balanced(self.rows, self.dataset.labels[self.rows].astype(np.int64), self.seed, epoch)
        if isinstance(self.dataset.images, Streamed):  # each process reads what it reads best
            order = self.dataset.order(self.seed, epoch, rows, self.part)
            return order + len(self.dataset) * copies(order)
        order, (rank, size) = self.dataset.order(self.seed, epoch, rows), self.part
        return (order + len(self.dataset) * copies(order))[rank::size]

    def at(self, done: float) -> "Batches":
        """As they are where the share `done` of a training is behind."""
        if not self.sizes:
            return self
        return replace(self, side=self.sizes[min(int(done * len(self.sizes)), len(self.sizes) - 1)])

    def cost(self, done: float) -> float:
        """What a step takes there, roughly, in steps of the frame that answers."""
        return prod(self.at(done).frame) / prod(self._answering)

    def sample(self) -> Tensor:
        """Some pictures to start from, (N, C, height, width), the same for every rank: SAMPLE numbers, or one batch."""
        images, num = list[Tensor](), 0
        for batch in replace(self, part=(0, 1)).epoch(0):
            images.append(batch.images)
            num += batch.images.numel()
            if num >= SAMPLE:
                break
        return torch.cat(images)

    def in_order(self, epoch: int) -> Generator[Batch]:
        """All rows once, unshuffled, with the augmentations that `epoch` has."""
        size = self.batch_size
        return self._batches([self._chunk(self.rows, i, i + size) for i in range(0, len(self.rows), size)], epoch)

    def _own(self, num: int) -> int:
        """How many of an epoch's first `num` rows are this process's."""
        rank, size = self.part
        return (num + size - 1 - rank) // size

    def _chunk(self, order: NDArray[np.intp], start: int, end: int) -> NDArray[np.intp]:
        """The rows of a batch; where pictures are mixed one more, the partner of the last."""
        end = min(end, len(order))
        partner = [order[end % len(order)]] if self._mixings else []
        return np.append(order[start:end], partner).astype(np.intp)

    @cached_property
    def _mixings(self) -> tuple[str, ...]:
        return tuple(name for name in self.augmentations if name in MIXINGS)

    @property
    def _answering(self) -> tuple[int, int]:
        return self.preprocessing.height, self.preprocessing.width

    @property
    def frame(self) -> tuple[int, int]:
        """Height and width of the images."""
        height, width = self._answering
        if self.side is None:
            return height, width
        return round(height * self.side / max(height, width)), round(width * self.side / max(height, width))

    def _batches(self, chunks: list[NDArray[np.intp]], epoch: int) -> Generator[Batch]:
        is_decoded, rows = self._is_decoded(), [chunk % len(self.dataset) for chunk in chunks]
        views = map(self._remembered, rows) if is_decoded else self._decoded(rows)
        made = (self._augmented(view, own, epoch) for view, own in zip(views, chunks, strict=True))
        return made if self.num_workers == 0 or (is_decoded and self.shares_cores) else ahead(made)

    def _is_decoded(self) -> bool:
        return self.canvases.is_decoded if isinstance(self.canvases, Canvases) else self.canvases is not None

    def _augmented(self, view: View, chunk: NDArray[np.intp], epoch: int) -> Batch:
        draw, rows = Draw(self.seed, epoch, chunk.astype(np.int64)), chunk % len(self.dataset)
        names = [name for name in self.augmentations if name not in self._mixings]
        images, labels = augmented(self._scaled(view, names), draw, names), torch.from_numpy(self.dataset.labels[rows])
        if not self._mixings:
            return Batch(images, labels, rows)
        mixed, shares = mix(self._mixings, images[:-1], images[1:], draw.part(slice(-1)))
        return Batch(mixed, labels[:-1], rows[:-1], labels[1:], torch.from_numpy(shares).float())

    def _scaled(self, view: View, names: list[str]) -> View:
        """In the frame that trains: what begins with a crop of its own is scaled by that, others are as a whole."""
        if self.frame == self._answering:
            return view
        if names[:1] == ["resized_crop"]:
            return replace(view, frame=self.frame)
        return View([scaled(image, self.frame) for image in view.singles], self.frame)

    def _remembered(self, rows: NDArray[np.intp]) -> View:
        """Canvases that `scan` kept; an array of equal pictures is indexed at once."""
        assert self.canvases is not None
        if isinstance(self.canvases, np.ndarray):
            return View(torch.from_numpy(self.canvases[rows]).permute(0, 3, 1, 2), self._answering)
        return View([self._canvas(row) for row in rows.tolist()], self._answering)

    def _decoded(self, chunks: Sequence[NDArray[np.intp]]) -> Iterator[View]:
        """Canvases of which some have to be decoded again, in threads."""
        self.dataset.expect(np.concatenate([*chunks, np.zeros(0, np.intp)]))
        decoded = in_threads(self._canvas, (int(row) for rows in chunks for row in rows), self.num_workers)
        return (View([next(decoded) for _ in rows], self._answering) for rows in chunks)

    def _canvas(self, row: int) -> Pixels:
        """Raises DataError where a picture that was read before cannot be read any more."""
        canvas = reason_or(self._read)(row)
        if isinstance(canvas, str):
            raise DataError(
                f"{self.dataset.paths[row]}: {canvas}. It could be read before the training; restore it and train again"
            )
        return canvas

    def _read(self, row: int) -> Pixels:
        if self.canvases is not None:
            return self.canvases[row]
        return self.preprocessing.canvas(self.dataset.images.pixels(row, self.preprocessing.decode_side()))
