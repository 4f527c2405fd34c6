"""The mean grey level of what the network sees, 0 to 255."""

import numpy as np
from numpy.typing import NDArray

from sightline.evaluation.evaluate import Evaluation

UNIT = "of 255"


def values(tested: Evaluation) -> NDArray[np.float64] | None:
    return None if tested.seen is None else tested.seen["mean"].astype(np.float64)
