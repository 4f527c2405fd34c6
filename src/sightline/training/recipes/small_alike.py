"""Small grey pictures of which those of a class look alike, such as digits: a lighter network, and few epochs.

    sightline train mnist/

Alike: that the nearest picture, pixel by pixel, is of the same class is more often so than ALIKE, chance set aside.
Measured on 1,000 pictures: digits 0.98, MNIST 0.87, PneumoniaMNIST 0.82, Fashion-MNIST 0.73. On PneumoniaMNIST the
large network took nine times as long and was no better (87.8 %, 468 pictures); on Fashion-MNIST it is.
"""

from sightline.training.recipes import Chosen, Seen
from sightline.training.recipes._whitened import recipe_of

WHEN = "grey pictures of up to 64 pixels that look alike in a class"
COMMAND = "sightline train mnist/"
MEASURED = (
    ("MNIST", 9, "99.31 % (99.13 to 99.45)"),
    ("PneumoniaMNIST", 13, "88.61 % (84.62 to 91.24, three seeds)"),
)
ALIKE = 0.78
VIEWS = 60_000
ENOUGH_MINUTES = 2.0  # a budget from which on the larger network gains more
OPTIONS = {"width": 16, "depth": 1, "stride": 2}


def fits(seen: Seen) -> bool:
    is_long = seen.minutes is not None and seen.minutes >= ENOUGH_MINUTES
    return seen.is_small and seen.model is None and is_alike(seen) and not is_long


def is_alike(seen: Seen) -> bool:
    """Whether pictures of a class look alike."""
    look = seen.survey
    return look.grey and look.alike is not None and look.alike >= ALIKE


def choose(seen: Seen) -> Chosen:
    recipe = recipe_of(seen, VIEWS, (256, 64), label_smoothing=0.1, tta=("shift",))
    return Chosen(recipe, "small grey pictures that look alike in a class: a light network, few epochs", OPTIONS)
