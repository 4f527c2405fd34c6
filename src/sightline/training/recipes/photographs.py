"""Photographs from scratch: ResNet-18 at 128 pixels. Pretrained weights would do better."""

from sightline.training.recipe import Recipe
from sightline.training.recipes import Chosen, Measured, Seen

WHEN = "pictures of more than 64 pixels, from scratch"
COMMAND = "sightline train photos/"
MEASURED: tuple[Measured, ...] = ()


def fits(seen: Seen) -> bool:
    return seen.pretrained is None and not seen.survey.is_small


def choose(seen: Seen) -> Chosen:
    recipe = Recipe(
        model="resnet18",
        size=128,
        epochs=seen.epochs(15_000, least=3),
        batch_size=32,
        learning_rate=0.05,
        augment=("resized_crop",),
    )
    return Chosen(recipe, "photographs from scratch: ResNet-18 at 128 pixels (pretrained --weights would do better)")
