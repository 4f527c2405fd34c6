"""The canvas of each row: from memory, from a pack, or decoded where neither has it. Comes in: rows; goes out: pixels.

All three give the same bits. Must not know networks or torch.
"""

from collections.abc import Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from sightline.data.dataset import Images
from sightline.data.packs.cache import Cache
from sightline.data.packs.pack import Pack, PackError
from sightline.data.preprocess import Pixels, Preprocessing


class Canvases(Sequence[Pixels]):
    """Row -> canvas (h, w, C). Reading is safe from several threads.

    pack    the pack that holds them, or some of them; one that turns out to be damaged is not read again
    kept    what is remembered of rows that had to be decoded; None: nothing, as it would not fit into memory
    """

    def __init__(
        self,
        images: Images,
        preprocessing: Preprocessing,
        cache: Cache,
        pack: Pack | None,
        kept: list[Pixels | None] | None,
        rows: NDArray[np.intp] | None = None,
    ) -> None:
        self.images, self.preprocessing, self.cache = images, preprocessing, cache
        self.pack, self.kept = pack, kept
        self.rows = np.arange(len(images), dtype=np.intp) if rows is None else rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, row: int) -> Pixels: ...
    @overload
    def __getitem__(self, row: slice) -> "Canvases": ...
    def __getitem__(self, row: "int | slice") -> "Pixels | Canvases":
        """Raises PictureError or OSError where a picture that has to be decoded cannot be read any more."""
        if isinstance(row, slice):
            return self.take(np.arange(len(self))[row])
        position = int(self.rows[row])
        assert position >= 0, "one of the rows that have no picture here"
        if self.kept is not None and (known := self.kept[position]) is not None:
            return known
        packed = self._packed(position)
        if packed is not None:
            return packed
        image = self.images.pixels(position, self.preprocessing.decode_side())
        canvas = self.preprocessing.canvas(image)
        if self.kept is not None:
            self.kept[position] = canvas
        return canvas

    def take(self, rows: NDArray[np.intp]) -> "Canvases":
        """Those of some of the rows."""
        return Canvases(self.images, self.preprocessing, self.cache, self.pack, self.kept, self.rows[rows])

    def spread(self, numbers: NDArray[np.intp]) -> "Canvases":
        """Row i is what was row numbers[i]; where that is -1 there is no picture, and asking for it is a mistake."""
        rows = np.where(numbers < 0, -1, self.rows[numbers])
        return Canvases(self.images, self.preprocessing, self.cache, self.pack, self.kept, rows)

    @property
    def is_decoded(self) -> bool:
        """Whether no row has to be decoded any more, so that threads would gain nothing."""
        return self.pack is not None and bool(self.pack.has_canvas[self.rows].all())

    def _packed(self, position: int) -> Pixels | None:
        pack = self.pack
        if pack is None:
            return None
        try:
            return pack.canvas(position)
        except PackError as error:
            self.pack = None
            self.cache.discard(pack.path, str(error))
            return None
