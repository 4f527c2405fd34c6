"""RandAugment (Cubuk et al., 2020): two operations, drawn from fourteen, each at the same strength of 9 in 30."""

import numpy as np

from sightline.data.augment import Draw, View
from sightline.data.augment._policy import NAMES, NARROW, applied, picked, signs_of

MAY_CHANGE_LABEL = True  # a colour, where it is the class
NUM_OPERATIONS = 2
SHARE = 9 / 30  # torchvision's default


def augment(view: View, draw: Draw) -> View:
    """(N, C, H, W) -> same shape."""
    numbers = draw.uniform("randaugment", 2 * NUM_OPERATIONS)
    for step in range(NUM_OPERATIONS):
        names = np.array(NAMES)[picked(numbers[:, 2 * step], len(NAMES))]
        view = applied(view, names, np.full(len(names), SHARE), signs_of(numbers[:, 2 * step + 1]), NARROW)
    return view
