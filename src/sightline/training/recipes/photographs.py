"""Photographs from scratch: ResNet-18 at 128 pixels. Pretrained weights would do better."""

from sightline.data.reading.scan import SMALL_SIDE
from sightline.training.recipe import Recipe
from sightline.training.recipes import Chosen, Measured, Seen

WHEN = "pictures of more than 64 pixels, from scratch"
COMMAND = "sightline train photos/"
MEASURED: tuple[Measured, ...] = ()


def fits(seen: Seen) -> bool:
    return seen.pretrained is None and max(seen.survey.height, seen.survey.width) > SMALL_SIDE


def choose(seen: Seen) -> Chosen:
    recipe = Recipe(
        model="resnet18",
        size=128,
        epochs=min(60, max(3, round(15_000 / seen.num_train))),
        batch_size=32,
        learning_rate=0.05,
        augment=("resized_crop",),
    )
    return Chosen(recipe, "photographs from scratch: ResNet-18 at 128 pixels (pretrained --weights would do better)")
