"""Small pictures: a light network at their own size that learns in few epochs, by the ideas of cifar10-airbench.

    sightline train cifar10/

Whitened patches, filters that begin as the identity, orthogonal steps (Muon), flips that alternate, smoothed labels,
the mean over six views: benchmarks/ablation.py takes one after the other away.
"""

from sightline.training.recipes import Chosen, Seen, small_alike, small_few
from sightline.training.recipes._whitened import NETWORK, recipe_of

WHEN = "more pictures of up to 64 pixels"
COMMAND = "sightline train cifar10/"
MEASURED = (
    ("CIFAR-10, a lossy copy, --minutes 8", 476, "87.46 % (86.80 to 88.09)"),
    ("Fashion-MNIST", 315, "94.16 % (93.68 to 94.60)"),
)
VIEWS = 500_000  # pictures seen in all, each as often as it takes


def fits(seen: Seen) -> bool:
    is_for_it = seen.model == NETWORK or (seen.model is None and not small_alike.fits(seen))
    return seen.is_small and is_for_it and not small_few.fits(seen)


def choose(seen: Seen) -> Chosen:
    recipe = recipe_of(seen, VIEWS, (512, 128), label_smoothing=0.2, tta=("flip", "shift"))
    return Chosen(recipe, "small pictures: a light network at their own size")
