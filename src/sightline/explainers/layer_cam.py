"""LayerCAM: the maps of the last stage, weighted by their positive gradients place by place (Jiang et al., 2021,
LayerCAM: Exploring hierarchical class activation maps for localization).
"""

import numpy as np

from sightline.data.warp import Floats
from sightline.explainers._subject import Subject

TITLE, NEEDS, SIGNED, UNIT = "LayerCAM", "stage", False, "score"
SAYS = "which places of the last stage speak for the answer, coarsely"
CAUTION = "What speaks against the answer at the same place is left out."


def maps(subject: Subject) -> Floats:
    """(N, height, width)."""
    return subject.from_stages(weighted)


def weighted(activations: Floats, gradients: Floats) -> Floats:
    """Of one stage, (N, D, H', W') both -> (N, H', W')."""
    return np.asarray((np.maximum(gradients, 0) * activations).sum(axis=1))
