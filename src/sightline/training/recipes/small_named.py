"""Small pictures and a network of the user's choice: Muon where it normalises what its filters give, else plain SGD.

sightline train digits/ --model lenet5
"""

from sightline.training.recipe import Recipe
from sightline.training.recipes import MUON, Chosen, Measured, Seen

WHEN = "pictures of up to 64 pixels, and a --model of yours"
COMMAND = "sightline train digits/ --model lenet5"
MEASURED: tuple[Measured, ...] = ()


def fits(seen: Seen) -> bool:
    return seen.is_small and seen.model not in (None, "whitened_cnn")  # which has a recipe of its own


def choose(seen: Seen) -> Chosen:
    """Measured on MNIST with simple_cnn by SGD: width 16 with BatchNorm reaches 99.2 % in one epoch of batches of 64 at
    a rate of 0.3, 99.1 % in two of 128 at 0.1; colour needs width and more epochs."""
    assert seen.model is not None
    grey = seen.survey.grey
    (width, views), (batch_size, rate) = ((16, 60_000), (64, 0.3)) if grey else ((48, 500_000), (128, 0.2))
    recipe = Recipe(
        model=seen.model,
        epochs=seen.epochs(views),
        batch_size=batch_size,
        augment=("pad_crop",),
        **MUON if seen.suits_muon else {"learning_rate": rate},
    )
    options = {"norm": "batch", "width": width, "dense": 0} if seen.model == "simple_cnn" else {}
    return Chosen(recipe, f"{seen.model} as asked for; small {'grey' if grey else 'colour'} pictures", options)
