"""Grad-CAM: the maps of the last stage, each weighted by how much the answer gains from it on average (Selvaraju et
al., 2017, Grad-CAM: Visual explanations from deep networks via gradient-based localization).
"""

import numpy as np

from sightline.data.warp import Floats
from sightline.explainers._subject import Subject

TITLE, NEEDS, SIGNED, UNIT = "Grad-CAM", "stage", False, "score"
SAYS = "where the last stage found what speaks for the answer, coarsely"
CAUTION = "Gradients are averaged over the picture, so it may show places that the answer does not hang on."


def maps(subject: Subject) -> Floats:
    """(N, height, width)."""
    return subject.from_stages(weighted)


def weighted(activations: Floats, gradients: Floats) -> Floats:
    """Of one stage, (N, D, H', W') both -> (N, H', W')."""
    return np.asarray((gradients.mean(axis=(2, 3), keepdims=True) * activations).sum(axis=1))
