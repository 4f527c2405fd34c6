"""TrivialAugment, wide (Müller and Hutter, 2021): one operation of fourteen, at any of 31 strengths."""

import numpy as np

from sightline.data.augment import Draw, View
from sightline.data.augment._policy import NAMES, WIDE, applied, picked, signs_of

MAY_CHANGE_LABEL = True  # turns by up to 135 degrees, and inverts
NUM_STRENGTHS = 31


def augment(view: View, draw: Draw) -> View:
    """(N, C, H, W) -> same shape."""
    operation, strength, sign = draw.uniform("trivialaugment", 3).T
    shares = picked(strength, NUM_STRENGTHS) / (NUM_STRENGTHS - 1)
    return applied(view, np.array(NAMES)[picked(operation, len(NAMES))], shares, signs_of(sign), WIDE)
