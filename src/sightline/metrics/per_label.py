"""Average precision, AUROC, precision, recall and F1 of each class, where a picture may carry several."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.metrics._bootstrap import figures
from sightline.metrics._counts import f1_of_each
from sightline.metrics._interval import rate
from sightline.metrics._ranking import auroc
from sightline.metrics._sample import Figure, Sample
from sightline.metrics.mean_average_precision import of_each

TASK = "multi"


@dataclass(frozen=True)
class LabelScore:
    """Of one class, which `count` pictures carry; None where undefined (no or only such pictures, no such answer).

    average_precision and auroc judge the order of the probabilities, the others the answers at the threshold.
    """

    count: int
    average_precision: Figure
    auroc: Figure
    precision: float | None
    recall: float | None
    recall_interval: tuple[float, float] | None
    f1: Figure


def measure(sample: Sample) -> list[LabelScore]:
    labels, decided = sample.labels.astype(np.uint8), sample.decided.astype(np.uint8)
    num_classes = labels.shape[1]

    def all_figures(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        columns = zip(sample.outputs.T, labels.T, strict=True)
        areas = np.stack([auroc(p, y, weights) for p, y in columns], axis=1)
        return np.concatenate([of_each(sample, weights), areas, f1_of_each(sample, weights)], axis=1)

    found = figures(sample, all_figures)  # the average precisions, then the areas, then F1
    scores = []
    for k in range(num_classes):
        carried = labels[:, k] > 0
        hits, count, answered = int(decided[carried, k].sum()), int(carried.sum()), int(decided[:, k].sum())
        recall = rate(decided[carried, k] > 0, sample.groups_of(carried)) if count else None
        scores.append(
            LabelScore(
                count=count,
                average_precision=found[k],
                auroc=found[num_classes + k],
                precision=hits / answered if answered else None,
                recall=recall.value if recall else None,
                recall_interval=recall.interval if recall else None,
                f1=found[2 * num_classes + k],
            )
        )
    return scores
