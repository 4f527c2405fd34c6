"""Photographs from scratch: ResNet-18, orthogonal steps, small pictures first. Pretrained weights would do better.

    sightline train photos/

Measured on 1,037 waste photographs, two folds of five, 21 epochs: SGD at 0.05 64.4 and 62.5 %, Muon at 0.1 76.0 and
74.5 %, and with frames of 64 to 112 pixels, half of the arithmetic, 77.9 and 72.6 %.
"""

from sightline.training.recipe import Recipe
from sightline.training.recipes import Chosen, Seen

WHEN = "pictures of more than 64 pixels, from scratch"
COMMAND = "sightline train photos/"
MEASURED = (("1,037 waste photographs", 260, "78.21 % (71.09 to 83.96)"),)
FAMILY = "resnet"  # whose every filter is followed by normalisation
VIEWS = 15_000


def fits(seen: Seen) -> bool:
    is_for_it = seen.model is None or FAMILY in seen.model
    return seen.pretrained is None and not seen.survey.is_small and is_for_it


def choose(seen: Seen) -> Chosen:
    recipe = Recipe(
        model=seen.model or "resnet18",
        size=128,
        sizes=(64, 80, 96, 112),
        epochs=seen.epochs(VIEWS, least=3),
        batch_size=32,
        optimizer="muon",
        learning_rate=0.1,
        momentum=0.6,
        weight_decay=0.0,
        warmup=0.1,
        augment=("resized_crop",),
    )
    why = f"photographs from scratch: {recipe.model} at up to 128 pixels (pretrained --weights would do better)"
    return Chosen(recipe, why)
