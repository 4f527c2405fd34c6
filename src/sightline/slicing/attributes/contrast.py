"""The standard deviation of the grey levels of what the network sees, 0 to 127."""

import numpy as np
from numpy.typing import NDArray

from sightline.evaluation.evaluate import Evaluation

UNIT = "grey levels"


def values(tested: Evaluation) -> NDArray[np.float64] | None:
    return None if tested.seen is None else tested.seen["std"].astype(np.float64)
