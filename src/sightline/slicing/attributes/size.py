"""How large the picture is in full: the root of width times height, before it is made to fit the network."""

import numpy as np
from numpy.typing import NDArray

from sightline.evaluation.evaluate import Evaluation

UNIT = "pixels"


def values(tested: Evaluation) -> NDArray[np.float64] | None:
    seen = tested.seen
    return None if seen is None else np.sqrt(seen["width"].astype(np.float64) * seen["height"])
