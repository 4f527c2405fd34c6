"""What the picture is labelled with: its class, or its number where there is one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sightline.evaluation.evaluate import Evaluation

UNIT = ""


def values(tested: Evaluation) -> Sequence[str] | NDArray[np.float64] | None:
    dataset = tested.dataset
    if dataset is None:
        return None
    if tested.task == "number":
        return tested.labels[:, 0].astype(np.float64) if tested.labels.shape[1] == 1 else None
    return [dataset.label_text(row) for row in tested.rows.tolist()]
