"""Photographs from scratch by a network that normalises nothing, such as AlexNet: plain SGD, for Muon would not do.

sightline train photos/ --model alexnet
"""

from sightline.training.recipe import Recipe
from sightline.training.recipes import Chosen, Measured, Seen, photographs

WHEN = "pictures of more than 64 pixels, and a --model of yours that normalises nothing"
COMMAND = "sightline train photos/ --model alexnet"
MEASURED: tuple[Measured, ...] = ()


def fits(seen: Seen) -> bool:
    return seen.pretrained is None and not seen.survey.is_small and not photographs.fits(seen)


def choose(seen: Seen) -> Chosen:
    assert seen.model is not None
    recipe = Recipe(
        model=seen.model,
        size=128,
        epochs=seen.epochs(photographs.VIEWS, least=3),
        batch_size=32,
        learning_rate=0.05,
        augment=("resized_crop",),
    )
    return Chosen(recipe, f"{seen.model} as asked for; photographs from scratch (pretrained --weights would do better)")
