"""Pictures inside shards (tar files). Comes in: for each row its shard and byte range; goes out: pixels, and an order.

The order is the same wherever the shards lie, so that a training gives the same bits from a local copy and from a
server. Must not know tar headers, labels or torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.data.dataset import EncodedImages
from sightline.data.storage.order import Layout
from sightline.errors import DataError

# How far a picture may move in the shuffle. Data up to this size are permuted in full; 2 GiB of ImageNet are 18,000
# pictures, and the pictures in use at one time span at most twice this, which bounds what must be held locally.
WINDOW_BYTES = 2 << 30


class Shards(Protocol):
    """The bytes of shards, by number."""

    def read(self, shard: int, offset: int, size: int) -> bytes:
        """Raises DataError, with the shard and the range, where they cannot be had."""
        ...

    def expect(self, shards: Sequence[int]) -> None:
        """The shards that will be read next, in this order."""
        ...


class LocalShards:
    """Shards that are files here."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = paths

    def read(self, shard: int, offset: int, size: int) -> bytes:
        path = self.paths[shard]
        try:
            with open(path, "rb", buffering=0) as file:
                file.seek(offset)
                data = file.read(size)
        except OSError as error:
            raise DataError(f"{path}, bytes {offset:,} to {offset + size:,}: {error.strerror or error}") from error
        if len(data) < size:
            raise DataError(f"{path}: it was {offset + size:,} bytes or longer when it was opened, and is shorter now")
        return data

    def expect(self, shards: Sequence[int]) -> None:
        """Nothing: the system reads ahead."""


@dataclass(frozen=True)
class ShardImages(EncodedImages):
    """Encoded pictures at byte ranges: shard, offset and size are (N,)."""

    source: Shards
    shard: NDArray[np.int32]
    offset: NDArray[np.int64]
    num_bytes: NDArray[np.int64]
    window_bytes: int = WINDOW_BYTES

    def __len__(self) -> int:
        return len(self.shard)

    def encoded(self, row: int) -> bytes:
        """The row's file, as it lies in the shard."""
        return self.source.read(int(self.shard[row]), int(self.offset[row]), int(self.num_bytes[row]))

    def order(self, seed: int, epoch: int, rows: NDArray[np.intp], part: tuple[int, int]) -> NDArray[np.intp]:
        return Layout(self.shard, self.offset, self.num_bytes, self.window_bytes).order(seed, epoch, rows, part)

    def expect(self, rows: NDArray[np.intp]) -> None:
        shards, first = np.unique(self.shard[rows], return_index=True)
        self.source.expect([int(s) for s in shards[np.argsort(first)]])
