"""Small pictures: a light network at their own size that learns in few epochs, by the ideas of cifar10-airbench.

    sightline train cifar10/

Whitened patches, filters that begin as the identity, orthogonal steps (Muon), flips that alternate, smoothed labels,
the mean over six views: benchmarks/ablation.py takes one after the other away.
"""

from sightline.training.recipe import Recipe
from sightline.training.recipes import Chosen, Seen, small_alike

WHEN = "pictures of up to 64 pixels"
COMMAND = "sightline train cifar10/"
MEASURED = (
    ("CIFAR-10, a lossy copy, --minutes 8", 476, "87.46 % (86.80 to 88.09)"),
    ("Fashion-MNIST", 315, "94.16 % (93.68 to 94.60)"),
    ("1,760 traffic signs in 43 classes", 109, "98.60 % (95.98 to 99.52)"),
)
VIEWS = 500_000  # pictures seen in all, each as often as it takes
NETWORK = "whitened_cnn"
MANY = 10_000  # from as many pictures on batches are large: fewer steps of more pictures cost less


def fits(seen: Seen) -> bool:
    is_for_it = seen.model == NETWORK or (seen.model is None and not small_alike.fits(seen))
    return seen.is_small and is_for_it


def choose(seen: Seen) -> Chosen:
    batch_size, rate = (512, 0.24) if seen.num_train >= MANY else (128, 0.12)
    recipe = Recipe(
        model=NETWORK,
        epochs=seen.epochs(VIEWS),
        batch_size=batch_size,
        optimizer="muon",
        learning_rate=rate,
        momentum=0.6,
        weight_decay=0.0,
        warmup=0.1,
        label_smoothing=0.2,
        augment=("pad_crop",),
        tta=("flip", "shift"),
    )
    return Chosen(recipe, "small pictures: a light network at their own size")
