"""Precision, recall, F1, AUROC and average precision of each class, with the count and the interval of the recall."""

from dataclasses import dataclass

import numpy as np

from sightline.metrics import _areas, confusion
from sightline.metrics._interval import rate
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
    right = np.asarray(sample.decided == sample.labels)
    orders = _areas.of_each(sample, "auroc"), _areas.of_each(sample, "average_precision")
    found = []
    for k, (auroc, average_precision) in enumerate(zip(*orders, strict=True)):
        hits, count, answered = int(table[k, k]), int(table[k].sum()), int(table[:, k].sum())
        carried = np.asarray(sample.labels == k)
        recall = rate(right[carried], sample.groups_of(carried)) if count else None
        found.append(
            ClassScore(
                count=count,
                precision=hits / answered if answered else None,
                recall=recall.value if recall else None,
                recall_interval=recall.interval if recall else None,
                f1=2 * hits / (count + answered) if count + answered else None,
                auroc=auroc,
                average_precision=average_precision,
            )
        )
    return found
