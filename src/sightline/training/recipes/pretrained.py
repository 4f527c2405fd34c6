"""Pretrained weights: a head fitted on the frozen network's features; where time allows, the last stages too."""

from dataclasses import replace

from sightline.training.recipe import Recipe
from sightline.training.recipes import Chosen, Seen

WHEN = "pretrained weights"
COMMAND = "sightline train photos/ --model mobilenet_v2 --weights pretrained"
MEASURED = (
    ("1,037 waste photographs, mobilenet_v2", 47, "85.31 % (79.71 to 89.37, 10 splits)"),
    ("396 ants and bees, mobilenet_v2", 21, "97.09 % (94.94 to 98.73, 10 splits)"),
)


def fits(seen: Seen) -> bool:
    return seen.pretrained is not None and not seen.is_pruned


def choose(seen: Seen) -> Chosen:
    assert seen.pretrained is not None
    model, weights = seen.pretrained
    recipe = Recipe(
        model=model,
        weights=weights,
        epochs=0,
        unfreeze="top",
        batch_size=32,
        optimizer="adamw",
        learning_rate=3e-4,
        weight_decay=0.02,
        label_smoothing=0.1,
    )
    return Chosen(recipe, "pretrained weights: the head is fitted on the frozen network's features")


def whole(recipe: Recipe) -> Recipe:
    """Where the whole network is fine-tuned."""
    return replace(recipe, unfreeze="all", learning_rate=1e-4, augment=("resized_crop",))
