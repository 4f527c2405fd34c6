"""Integrated gradients: from a blank picture to this one, what each pixel added to the score on the way (Sundararajan
et al., 2017, Axiomatic attribution for deep networks). The map sums to the score less that of the blank picture.
"""

import numpy as np

from sightline.data.warp import Floats
from sightline.explainers._by_pixel import mean_gradient
from sightline.explainers._subject import Subject

TITLE, NEEDS, SIGNED, UNIT = "Integrated gradients", "gradient", True, "score"
SAYS = "what each pixel added to the score, from a blank picture on"
CAUTION = "Pixels of the blank picture's own colour cannot count, whatever they show."

NUM_STEPS = 50  # by Gauss and Legendre: within some percent of the sum that is due


def maps(subject: Subject) -> Floats:
    """(N, height, width)."""
    places, weights = np.polynomial.legendre.leggauss(NUM_STEPS)  # on -1..1, whose weights sum to 2
    shares = ((1 + places) / 2).astype(np.float32)[:, None, None, None]

    def on_the_way(picture: Floats) -> Floats:
        return np.asarray(subject.blank + shares * (picture - subject.blank), np.float32)

    slopes = mean_gradient(subject, on_the_way, (weights / 2).astype(np.float32))
    return np.asarray((slopes * (subject.pixels - subject.blank)).sum(axis=3), np.float32)
