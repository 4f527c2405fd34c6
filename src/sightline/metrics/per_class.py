"""Precision, recall, F1, AUROC and average precision of each class, with the count and the interval of the recall."""

from dataclasses import dataclass

from sightline.metrics import _areas, confusion
from sightline.metrics._interval import wilson
from sightline.metrics._sample import Figure, Sample

TASK = "single"


@dataclass(frozen=True)
class ClassScore:
    """Of one class; None where it is undefined (no such picture, no such answer; for the last two, no other picture).

    auroc and average_precision judge the order of the class's probabilities, the others the answers.
    """

    count: int
    precision: float | None
    recall: float | None
    recall_interval: tuple[float, float] | None
    f1: float | None
    auroc: Figure
    average_precision: Figure


def measure(sample: Sample) -> list[ClassScore]:
    table = confusion.measure(sample)
    hits, counts, answered = (each.tolist() for each in (table.diagonal(), table.sum(axis=1), table.sum(axis=0)))
    orders = _areas.of_each(sample, "auroc"), _areas.of_each(sample, "average_precision")
    return [_score(*one) for one in zip(hits, counts, answered, *orders, strict=True)]


def _score(hits: int, count: int, answered: int, auroc: Figure, average_precision: Figure) -> ClassScore:
    return ClassScore(
        count=count,
        precision=hits / answered if answered else None,
        recall=hits / count if count else None,
        recall_interval=wilson(hits, count) if count else None,
        f1=2 * hits / (count + answered) if count + answered else None,
        auroc=auroc,
        average_precision=average_precision,
    )
