"""Few small pictures: the network of `small_pictures`, many epochs, and AutoAugment, so that no epoch is like another.

    sightline train icons/

Measured on 50 pictures a class of CIFAR-10's lossy copy (450 train), tested on 10,000, one seed: 60 epochs 48.2 %, 200
epochs 50.3 %; with trivialaugment 54.6 %, with autoaugment_cifar and mirror images 62.1 % (56.0 % without these), 500
epochs 63.3 %, twice the width 63.0 %; with erasing besides 58.9 %, with cutmix 58.3 %.
"""

from dataclasses import replace

from sightline.training.recipes import Chosen, Seen, small_alike
from sightline.training.recipes._whitened import NETWORK, recipe_of

WHEN = "up to 2,500 pictures of up to 64 pixels"
COMMAND = "sightline train icons/"
MEASURED = (
    ("500 pictures of CIFAR-10, a lossy copy", 108, "61.63 % (60.67 to 62.58)"),
    ("1,760 traffic signs in 43 classes", 236, "99.53 % (97.41 to 99.92)"),
)
FEW = 2_500
MAX_EPOCHS = 200
VIEWS = 150_000


def fits(seen: Seen) -> bool:
    is_for_it = seen.model in (None, NETWORK) and not small_alike.is_alike(seen)
    return seen.is_small and seen.num_train <= FEW and is_for_it


def choose(seen: Seen) -> Chosen:
    recipe = recipe_of(seen, VIEWS, (512, 128), label_smoothing=0.2, tta=("flip", "shift"))
    always, waits = (("flip",), ()) if seen.survey.in_mirror else ((), ("flip",))
    recipe = replace(
        recipe,
        epochs=seen.epochs(VIEWS, most=MAX_EPOCHS),
        augment=("pad_crop", *always, "autoaugment_cifar"),
        augment_if_safe=waits,
    )
    why = "few small pictures: a light network at their own size, many epochs"
    return Chosen(recipe, f"{why}{', mirror images, as they look alike too' if always else ''}")
