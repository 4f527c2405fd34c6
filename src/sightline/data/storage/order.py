"""The order of an epoch over pictures that lie together in large files: shards, volumes. Comes in: where each row lies;
goes out: rows, file after file and still mixed.

Files are permuted, then every picture moves by a random distance of at most a window. That is as fast as reading in
sequence, on disks, networks and object stores, and at any time only the files within the window are in use. A function
of (seed, epoch) and the rows alone. Must not know what the files are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.data.dataset import shuffled


@dataclass(frozen=True)
class Layout:
    """Of each row (N,): its file, its place in it, and its bytes. What fits into one window is permuted in full."""

    file: NDArray[np.integer]
    place: NDArray[np.integer]
    num_bytes: NDArray[np.int64]
    window_bytes: int

    def order(self, seed: int, epoch: int, rows: NDArray[np.intp], part: tuple[int, int]) -> NDArray[np.intp]:
        """`rows` in the order of an epoch; `part` (i, n): the i-th of n parts, whose sizes differ by one at most.

        Each part reads files of its own, but for those on a border between two.
        """
        if int(self.num_bytes[rows].sum()) <= self.window_bytes:
            return shuffled(seed, epoch, rows, part)
        generator = np.random.default_rng((seed, epoch))
        turn = generator.permutation(int(self.file.max()) + 1)  # file -> when it comes in this epoch
        rows = rows[np.lexsort((self.place[rows], turn[self.file[rows]]))]
        move = generator.random(len(rows))
        begin, end = (i * (len(rows) // part[1]) + min(i, len(rows) % part[1]) for i in (part[0], part[0] + 1))
        rows, move = rows[begin:end], move[begin:end]
        position = np.cumsum(self.num_bytes[rows])
        return rows[np.argsort(position + self.window_bytes * move, kind="stable")]
