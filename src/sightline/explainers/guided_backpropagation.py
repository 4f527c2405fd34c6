"""Guided backpropagation: the gradient by the pixels, of which activations let only what is positive through
(Springenberg et al., 2015, Striving for simplicity: the all convolutional net). For activations other than ReLU by the
same rule.
"""

from sightline.data.warp import Floats
from sightline.explainers._by_pixel import strongest
from sightline.explainers._subject import Subject

TITLE, NEEDS, SIGNED, UNIT = "Guided backpropagation", "gradient", False, "score a grey level"
SAYS = "edges that reach the last layers"
CAUTION = (
    "It hardly depends on what the network has learned, nor on the class: with weights drawn at random it looks nearly "
    "the same (Adebayo et al., 2018). It does not tell why."
)


def maps(subject: Subject) -> Floats:
    """(N, height, width)."""
    return strongest(subject.gradients(subject.pixels, subject.question, "guided"))
