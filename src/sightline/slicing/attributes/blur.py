"""How blurred what the network sees is: the width of its edges in pixels; 0 where there is no edge at all."""

import numpy as np
from numpy.typing import NDArray

from sightline.evaluation.evaluate import Evaluation

UNIT = "pixels"


def values(tested: Evaluation) -> NDArray[np.float64] | None:
    return None if tested.seen is None else tested.seen["blur"].astype(np.float64)
