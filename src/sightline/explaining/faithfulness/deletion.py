"""Deletion: how probable the answer stays while what the map shows is blanked out, the most important first (Petsiuk et
al., 2018, RISE). The area under that curve: low where the map is right.
"""

import numpy as np
from numpy.typing import NDArray

from sightline.explaining.faithfulness import _steps
from sightline.explaining.faithfulness._asked import Asked

BETTER = "lower"
SAYS = "probability of the answer while what matters is blanked out"


def measure(asked: Asked) -> NDArray[np.float64]:
    """(N,) in 0..1."""
    blank = np.broadcast_to(asked.subject.blank, asked.subject.pixels.shape)
    return _steps.area(asked, asked.subject.pixels, blank)
