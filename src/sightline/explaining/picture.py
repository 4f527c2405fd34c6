"""A picture to be explained: as the network sees it, and as people do. Comes in: a path, bytes, a Pillow image, an
array, or a row of a data set; goes out: a Picture.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.data.dataset import Dataset, Images
from sightline.data.decode import read_header
from sightline.data.decoding.header import orientation_of
from sightline.data.medical.greys import for_display
from sightline.data.medical.slices import Volumes
from sightline.data.preprocess import Pixels, Window
from sightline.data.reading.scan import in_threads
from sightline.data.resize import resize
from sightline.evaluation.drawing import drawn
from sightline.evaluation.runs import part_of
from sightline.predictor import Input, Predictor
from sightline.run import Run

SHOWN_SIDE = 1024  # pixels of what is kept to be drawn on


@dataclass(frozen=True)
class Picture:
    """frame: (height, width, C) as the network sees it; shown: (H, W, 1 or 3) uint8, upright, to be drawn on.

    size    height and width, upright, as it is
    window  what the network sees of it, in its pixels
    """

    frame: Pixels
    shown: NDArray[np.uint8]
    size: tuple[int, int]
    window: Window


def opened(predictor: Predictor, item: Input, volumes: Volumes) -> Picture:
    """Raises PictureError. `volumes`: those that names may be slices of."""
    if isinstance(item, str | Path) and str(item) and Path(item).is_file():
        item = Path(item).read_bytes()
    pixels = predictor.decoded(item, volumes)
    size = pixels.shape[0], pixels.shape[1]
    if isinstance(item, bytes):
        header = read_header(item)
        size = header.height, header.width
    elif isinstance(item, Image.Image):
        size = item.size if orientation_of(item) >= 5 else item.size[::-1]
    return _picture(predictor, pixels, size)


def of_row(predictor: Predictor, images: Images, row: int) -> Picture:
    """Raises PictureError or OSError."""
    return _picture(predictor, images.pixels(row, predictor.preprocessing.decode_side()), images.size(row))


def frames_of(predictor: Predictor, images: Images, rows: Iterable[int]) -> Iterator[Pixels]:
    """Rows as the network sees them, in order, read by threads."""
    return in_threads(lambda row: of_row(predictor, images, row).frame, rows)


def some_of(
    run: Run, predictor: Predictor, split: str, num: int, seed: int
) -> tuple[Dataset, NDArray[np.intp], Iterator[Pixels]]:
    """The run's data set, `num` rows of one of its splits, drawn by chance, and these as the network sees them.

    Raises DataError where they are gone.
    """
    part = part_of(run, None, split)
    rows = part.rows[drawn(part.dataset.labels[part.rows], num, seed)]
    return part.dataset, rows, frames_of(predictor, part.dataset.images, rows.tolist())


def _picture(predictor: Predictor, pixels: Pixels, size: tuple[int, int]) -> Picture:
    height, width = pixels.shape[:2]
    window = predictor.preprocessing.window(height, width).scaled(size[0] / height, size[1] / width)
    shown, smaller = for_display(pixels), SHOWN_SIDE / max(height, width)
    if smaller < 1:
        height, width = (max(1, round(side * smaller)) for side in (height, width))
        shown = resize(shown, height, width, "bilinear").astype(np.uint8, copy=False)
    return Picture(predictor.preprocessing.apply(pixels), shown, size, window)
