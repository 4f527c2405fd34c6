"""From an Evaluation to what the report shows of it: class rows, confusion matrix, example pictures."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.data.dataset import Dataset
from sightline.data.preprocess import Pixels
from sightline.evaluate import Evaluation
from sightline.metrics import confusion
from sightline.report.facts import ClassRow, Example

NUM_EXAMPLES = 12
THUMBNAIL_SIDE = 256  # pixels; a card is some 220 wide


def class_rows(tested: Evaluation, classes: tuple[str, ...]) -> tuple[ClassRow, ...]:
    return tuple(
        ClassRow(name, s.count, s.precision, s.recall, s.recall_interval, s.f1)
        for name, s in zip(classes, tested.per_class, strict=True)
    )


def confusion_of(tested: Evaluation) -> NDArray[np.int64]:
    """(K, K), rows truth, columns predicted."""
    return confusion.measure(tested.probabilities, tested.labels)


def examples(tested: Evaluation, dataset: Dataset) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """The surest mistakes, and the least sure hits, as pictures."""
    best = tested.probabilities.argmax(axis=1)
    sureness = tested.probabilities.max(axis=1)
    right = best == tested.labels
    mistakes = sorted(np.flatnonzero(~right), key=lambda i: -sureness[i])[:NUM_EXAMPLES]
    hits = sorted(np.flatnonzero(right), key=lambda i: sureness[i])[:NUM_EXAMPLES]

    def example(i: int) -> Example:
        row = int(tested.rows[i])
        return Example(
            path=dataset.paths[row],
            truth=dataset.classes[tested.labels[i]],
            predicted=dataset.classes[best[i]],
            probability=float(sureness[i]),
            image=_thumbnail(dataset, row),
        )

    return tuple(example(int(i)) for i in mistakes), tuple(example(int(i)) for i in hits)


def for_display(pixels: Pixels) -> NDArray[np.uint8]:
    """(H, W, C) -> uint8. Deep pictures are stretched from darkest to brightest, or many would look black."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    low, high = float(pixels.min()), float(pixels.max())
    return ((pixels - low) * (255 / max(high - low, 1e-6))).round().astype(np.uint8)


def _thumbnail(dataset: Dataset, row: int) -> bytes:
    """A JPEG, or a PNG where the picture is so small that JPEG would blur it."""
    pixels = for_display(dataset.images.pixels(row, THUMBNAIL_SIDE))
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    picture.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    buffer = io.BytesIO()
    if max(picture.size) <= 64:
        picture.save(buffer, "PNG")
    else:
        picture.save(buffer, "JPEG", quality=75)
    return buffer.getvalue()
