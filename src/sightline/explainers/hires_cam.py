"""HiResCAM: the maps of the last stage, weighted by their gradients place by place (Draelos and Carin, 2020, Use
HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks).

Where nothing but averaging and a linear layer follow the stage, the sum of the map, before its negative values are cut
off, is the score but for the bias; and Grad-CAM is the same.
"""

import numpy as np

from sightline.data.warp import Floats
from sightline.explainers._subject import Subject

TITLE, NEEDS, SIGNED, UNIT = "HiResCAM", "stage", False, "score"
SAYS = "which places of the last stage added to the answer, coarsely"
CAUTION = ""


def maps(subject: Subject) -> Floats:
    """(N, height, width)."""
    return subject.from_stages(weighted)


def weighted(activations: Floats, gradients: Floats) -> Floats:
    """Of one stage, (N, D, H', W') both -> (N, H', W')."""
    return np.asarray((gradients * activations).sum(axis=1))
