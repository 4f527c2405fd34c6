"""Width by height: what cropping and squeezing cost depends on it."""

import numpy as np
from numpy.typing import NDArray

from sightline.evaluation.evaluate import Evaluation

UNIT = ""


def values(tested: Evaluation) -> NDArray[np.float64] | None:
    seen = tested.seen
    return None if seen is None else np.asarray(seen["width"] / np.maximum(seen["height"], 1), np.float64)
