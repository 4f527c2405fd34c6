"""Deconvolution: the gradient by the pixels, of which activations let what is positive through wherever they are
(Zeiler and Fergus, 2014, Visualizing and understanding convolutional networks). For activations other than ReLU
likewise.
"""

from sightline.data.warp import Floats
from sightline.explainers._by_pixel import strongest
from sightline.explainers._subject import Subject

TITLE, NEEDS, SIGNED, UNIT = "Deconvolution", "gradient", False, "score a grey level"
SAYS = "shapes that the last layers would draw"
CAUTION = "It hardly depends on the class, and little on what the network has learned. It does not tell why."


def maps(subject: Subject) -> Floats:
    """(N, height, width)."""
    return strongest(subject.gradients(subject.pixels, subject.question, "deconvolution"))
