"""Grad-CAM++: as Grad-CAM, but each map is weighted by its positive gradients, and these by how far they alone carry it
(Chattopadhay et al., 2018, Grad-CAM++: Generalized gradient-based visual explanations, equations 10 and 19).
"""

import numpy as np

from sightline.data.warp import Floats
from sightline.explainers._subject import Subject

TITLE, NEEDS, SIGNED, UNIT = "Grad-CAM++", "stage", False, "score"
SAYS = "where the last stage found what speaks for the answer, several objects alike, coarsely"
CAUTION = "Its weights hardly depend on the class; of several classes it may show the same."


def maps(subject: Subject) -> Floats:
    """(N, height, width)."""
    return subject.from_stages(weighted)


def weighted(activations: Floats, gradients: Floats) -> Floats:
    """Of one stage, (N, D, H', W') both -> (N, H', W')."""
    slopes = np.maximum(gradients, 0)
    # g^2 / (2 g^2 + sum(A) g^3). Maps of ReLUs have no sum below 0, by which this could be divided by next to nothing.
    shares = 1 / (2 + np.maximum(activations.sum(axis=(2, 3), keepdims=True), 0) * slopes)
    weights = (shares * slopes).sum(axis=(2, 3), keepdims=True)
    return np.asarray((weights * activations).sum(axis=1))
