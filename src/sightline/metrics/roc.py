"""The ROC curve of two classes: at each threshold the share found of the positive class, and of the other in error."""

from dataclasses import dataclass

import numpy as np

from sightline.metrics._sample import Sample

TASK = "single"
MOST = 200  # points; no drawing and hardly a test shows more


@dataclass(frozen=True)
class Roc:
    """From nothing named to all: `threshold` (n,), from which on a probability is named, with its two rates (n,)."""

    threshold: list[float]
    sensitivity: list[float]
    false_positive_rate: list[float]


def measure(sample: Sample) -> Roc | None:
    """None where there are not two classes, or one of them was not tested. The first threshold, above all, is 1.

    Corners alone: what lies on a line between two others is left out, and of more than `MOST` every so manyth is kept.
    """
    if sample.outputs.shape[1] != 2:
        return None
    scores, is_positive = sample.outputs[:, sample.asked.positive], sample.labels == sample.asked.positive
    if not is_positive.any() or is_positive.all():
        return None
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.append(0, is_positive[order].cumsum()[ends])  # (steps + 1,)
    misses = np.append(0, (~is_positive[order]).cumsum()[ends])
    rise, run = np.diff(hits), np.diff(misses)
    kept = np.concatenate([[True], rise[1:] * run[:-1] != rise[:-1] * run[1:], [True]]).nonzero()[0]
    kept = kept[np.unique(np.linspace(0, len(kept) - 1, min(len(kept), MOST)).round().astype(int))]
    thresholds = np.append(1.0, scores[order][ends])
    return Roc(
        thresholds[kept].tolist(), (hits[kept] / hits[-1]).tolist(), (misses[kept] / misses[-1]).tolist()
    )  # fmt: skip
