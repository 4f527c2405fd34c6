"""Photographs from scratch: ResNet-18, orthogonal steps, small pictures first. Pretrained weights would do better.

    sightline train photos/

Measured on 1,037 waste photographs, two folds of five, 21 epochs: SGD at 0.05 64.4 and 62.5 %, Muon at 0.1 76.0 and
74.5 %, and with frames of 64 to 112 pixels, half of the arithmetic, 77.9 and 72.6 %.
"""

from sightline.training.recipe import Recipe
from sightline.training.recipes import MUON, Chosen, Seen

WHEN = "pictures of more than 64 pixels, from scratch"
COMMAND = "sightline train photos/"
MEASURED = (("1,037 waste photographs", 260, "78.21 % (71.09 to 83.96)"),)
VIEWS = 15_000


def fits(seen: Seen) -> bool:
    return seen.pretrained is None and not seen.survey.is_small and (seen.model is None or seen.suits_muon)


def choose(seen: Seen) -> Chosen:
    recipe = Recipe(
        model=seen.model or "resnet18",
        size=128,
        sizes=(64, 80, 96, 112),
        epochs=seen.epochs(VIEWS, least=3),
        batch_size=32,
        augment=("resized_crop",),
        **MUON,
    )
    what = "photographs from scratch" if seen.model is None else f"{seen.model} as asked for; photographs from scratch"
    why = f"{what}: {recipe.model} at up to 128 pixels (pretrained --weights would do better)"
    return Chosen(recipe, why)
