"""Evaluations of which the looks, the columns and the mistakes are chosen."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sightline.data.dataset import ArrayImages, Dataset
from sightline.data.reading.seen import SEEN
from sightline.evaluation.evaluate import Evaluation


def answered(
    wrong: NDArray[np.bool_],
    columns: Mapping[str, Sequence[str]] | None = None,
    labels: NDArray[np.int64] | None = None,
    groups: NDArray[np.intp] | None = None,
    paths: Sequence[str] | None = None,
    **looks: NDArray[np.float64],
) -> Evaluation:
    """Answers to pictures of the classes a and b, `wrong` or right; `looks` are fields of SEEN."""
    num = len(wrong)
    labels = np.arange(num) % 2 if labels is None else labels
    decided = np.where(wrong, 1 - labels, labels)
    outputs = np.where(np.eye(2)[decided] == 1, 0.9, 0.1)
    dataset = Dataset(
        "here",
        "table",
        ArrayImages(np.zeros((num, 4, 4, 1), np.uint8)),
        paths or [f"{i}.png" for i in range(num)],
        labels,
        ("a", "b"),
        groups=None if groups is None else [f"g{g}" for g in groups],
        columns=columns or {},
    )
    seen = np.zeros(num, SEEN)
    seen["width"] = seen["height"] = 32
    for name, values in looks.items():
        seen[name] = values
    logits = np.log(outputs).astype(np.float32)
    rows = np.arange(num)
    return Evaluation("test", rows, labels, logits, outputs, decided, [""] * num, groups, seen=seen, dataset=dataset)
