"""What the recipes of `whitened_cnn` share: orthogonal steps, at a rate that is the angle by which filters turn."""

from sightline.training.recipe import Recipe
from sightline.training.recipes import MUON, Seen

NETWORK = "whitened_cnn"
MANY = 10_000  # from as many pictures on batches are large: fewer steps of more pictures cost less


def recipe_of(
    seen: Seen, num_views: int, batch_sizes: tuple[int, int], label_smoothing: float, tta: tuple[str, ...]
) -> Recipe:
    """`num_views`: pictures seen in all; `batch_sizes`: of many pictures, and of few."""
    is_large = seen.num_train >= MANY
    return Recipe(
        model=NETWORK,
        epochs=seen.epochs(num_views),
        batch_size=batch_sizes[0 if is_large else 1],
        label_smoothing=label_smoothing,
        augment=("pad_crop",),
        tta=tta,
        **MUON | {"learning_rate": 0.24 if is_large else 0.12},
    )
