"""The pointing game: whether the map's largest value lies on the object (Zhang et al., 2016, Top-down neural attention
by excitation backprop), where boxes of objects are known.

It tells where people would look, not whether the network does: a network may read what lies beside the object.
"""

import numpy as np
from numpy.typing import NDArray

from sightline.explaining.faithfulness._asked import Asked

BETTER = "higher"
SAYS = "whether the largest value lies in a box of the answered class"


def measure(asked: Asked) -> NDArray[np.float64] | None:
    """(N,) 1 or 0; not a number for pictures without a box of the class. None where there are no boxes at all."""
    if asked.objects is None or not asked.objects.any():
        return None
    peaks = asked.maps.reshape(len(asked.maps), -1).argmax(axis=1)
    hits = asked.objects.reshape(len(asked.maps), -1)[np.arange(len(peaks)), peaks]
    return np.where(asked.objects.any(axis=(1, 2)), hits.astype(np.float64), np.nan)
