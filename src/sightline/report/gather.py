"""From an Evaluation to what the report shows of it: class rows, confusion matrix, example pictures."""

import numpy as np
from numpy.typing import NDArray

from sightline.data.dataset import Dataset
from sightline.evaluate import Evaluation
from sightline.metrics import confusion
from sightline.report.facts import ClassRow, Example
from sightline.report.thumbnail import thumbnail

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
            image=thumbnail(dataset, row, THUMBNAIL_SIDE),
        )

    return tuple(example(int(i)) for i in mistakes), tuple(example(int(i)) for i in hits)
