"""What a report is made of. Comes in: numbers that were measured elsewhere, checked for fitting each other.

Goes out: `Facts`, from which the page and the card are written, so that both say the same. Must not know:
how a figure was measured, torch, files, or how anything is drawn.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MEDIA_TYPES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
# `accuracy` is computed by the metric and again here from the matrix; float32 rounding lies far below this.
ACCURACY_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Epoch:
    """One pass over the training pictures. None where nothing was trained or validated."""

    epoch: int
    step: int
    train_loss: float | None
    val_loss: float | None
    val_accuracy: float | None
    learning_rate: float
    seconds: float
    waited_s: float = 0.0  # of these seconds, those in which a step waited for its pictures


@dataclass(frozen=True)
class ClassRow:
    """The figures of one class, of which `count` pictures were tested. None: undefined (0/0)."""

    name: str
    count: int
    precision: float | None
    recall: float | None
    recall_interval: tuple[float, float] | None
    f1: float | None


@dataclass(frozen=True)
class Example:
    """One tested picture; `image` holds the bytes of a thumbnail, PNG or JPEG."""

    path: str
    truth: str
    predicted: str
    probability: float
    image: bytes

    def __post_init__(self) -> None:
        if self.media_type is None:
            raise ValueError(f"thumbnail of {self.path!r} is no PNG or JPEG: it begins {self.image[:8]!r}")

    @property
    def media_type(self) -> str | None:
        """Told from the first bytes; None where they are neither PNG nor JPEG."""
        return next((kind for head, kind in MEDIA_TYPES.items() if self.image.startswith(head)), None)


@dataclass(frozen=True, eq=False)  # arrays have no single equality
class Facts:
    """All that a training leaves to tell. K classes; `ValueError` where two figures contradict each other."""

    title: str
    created: str  # ISO 8601
    command: str
    version: str
    split: str  # the one that `accuracy` was measured on
    num_samples: int
    accuracy: float
    interval: tuple[float, float]  # 95 %, Wilson
    top5: float | None  # None where fewer than 10 classes
    baseline: float  # accuracy of always answering the commonest training class, on this split
    classes: tuple[str, ...]
    class_rows: tuple[ClassRow, ...]
    confusion: NDArray[np.int64]  # (K, K), rows truth, columns predicted
    splits: dict[str, NDArray[np.int64]]  # name -> pictures a class, (K,)
    history: tuple[Epoch, ...]
    surest_mistakes: tuple[Example, ...]
    least_sure_hits: tuple[Example, ...]
    what: dict[str, str]
    machine: dict[str, str]
    duration_s: float
    notes: tuple[str, ...]
    split_rule: str
    licences: dict[str, str]

    def __post_init__(self) -> None:
        num_classes = len(self.classes)
        if self.num_samples < 1:
            raise ValueError(f"a report needs at least one tested picture; num_samples is {self.num_samples}")
        if self.confusion.shape != (num_classes, num_classes):
            raise ValueError(f"confusion has shape {self.confusion.shape} for {num_classes} classes")
        total, right = int(self.confusion.sum()), self.num_right
        if total != self.num_samples:
            raise ValueError(f"confusion counts {total} pictures, num_samples {self.num_samples}")
        if abs(right / total - self.accuracy) > ACCURACY_TOLERANCE:
            raise ValueError(f"accuracy is {self.accuracy}, confusion has {right} of {total} right")
        self._check_classes()

    def _check_classes(self) -> None:
        names = tuple(row.name for row in self.class_rows)
        if sorted(names) != sorted(self.classes):
            odd = sorted(set(names) ^ set(self.classes)) or "a name given twice"
            raise ValueError(f"class_rows ({len(names)}) and classes ({len(self.classes)}) differ: {odd}")
        for split, counts in self.splits.items():
            if counts.shape != (len(self.classes),):
                raise ValueError(f"split {split!r} has shape {counts.shape} for {len(self.classes)} classes")

    @property
    def num_right(self) -> int:
        return int(np.trace(self.confusion))
