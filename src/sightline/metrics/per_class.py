"""Precision, recall and F1 of each class, with the count and the interval of the recall."""

from dataclasses import dataclass

from sightline.metrics import confusion
from sightline.metrics._interval import wilson
from sightline.metrics._sample import Sample

TASK = "single"


@dataclass(frozen=True)
class ClassScore:
    """Of one class; None where it is undefined (no such picture, no such answer)."""

    count: int
    precision: float | None
    recall: float | None
    recall_interval: tuple[float, float] | None
    f1: float | None


def measure(sample: Sample) -> list[ClassScore]:
    table = confusion.measure(sample)
    return [_score(int(table[k, k]), int(table[k].sum()), int(table[:, k].sum())) for k in range(len(table))]


def _score(hits: int, count: int, answered: int) -> ClassScore:
    return ClassScore(
        count=count,
        precision=hits / answered if answered else None,
        recall=hits / count if count else None,
        recall_interval=wilson(hits, count) if count else None,
        f1=2 * hits / (count + answered) if count + answered else None,
    )
