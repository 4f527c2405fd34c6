"""A run made smaller: what is left of its network trains whole, taught by the run.

sightline train photos/ --weights runs/photos --prune 0.5
"""

from sightline.training.recipe import Recipe
from sightline.training.recipes import Chosen, Measured, Seen

WHEN = "a run, and --prune"
COMMAND = "sightline train photos/ --weights runs/photos --prune 0.5"
MEASURED: tuple[Measured, ...] = ()
VIEWS = 15_000


def fits(seen: Seen) -> bool:
    return seen.is_pruned


def choose(seen: Seen) -> Chosen:
    assert seen.pretrained is not None
    model, weights = seen.pretrained
    is_small = seen.survey.is_small
    recipe = Recipe(
        model=model,
        weights=weights,
        teacher=weights,
        epochs=seen.epochs(VIEWS if not is_small else 4 * VIEWS, least=3),
        batch_size=32,
        optimizer="adamw",
        learning_rate=5e-4,
        weight_decay=0.02,
        label_smoothing=0.1,
        augment=("pad_crop",) if is_small else ("resized_crop",),
    )
    return Chosen(recipe, "a run made smaller: what is left trains whole, taught by the run")
