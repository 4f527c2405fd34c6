"""What the recipes of `whitened_cnn` share: orthogonal steps, at a rate that is the angle by which filters turn."""

from sightline.training.recipe import Recipe

RECIPE = Recipe(
    model="whitened_cnn",
    optimizer="muon",
    momentum=0.6,
    weight_decay=0.0,
    warmup=0.1,
    augment=("pad_crop",),
)
MANY = 10_000  # from as many pictures on batches are large: fewer steps of more pictures cost less
