"""How a network is trained. Comes in: what the data looks like; goes out: a Recipe, every value of which can be set.

`choose` holds the defaults and their reasons; flags, `--set key=value` and a TOML file change single fields.
Must not know torch: a mistake in a recipe is found before anything heavy is imported.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from sightline.data.augment import AUGMENTATIONS
from sightline.data.mixing import MIXINGS
from sightline.data.reading.scan import Survey
from sightline.errors import ConfigError, nearest

SMALL_SIDE = 64  # pixels; up to here pictures are trained at their own size by a small network


@dataclass(frozen=True)
class Recipe:
    """
    model            a name of `sightline models`
    weights          what to start from: `pretrained`, a tag, a path; none: from scratch
    size             side of the network's input in pixels; 0: as the pictures, or as the weights were trained
    fit              how a picture gets into the frame: crop, pad or squash
    epochs           passes over the training pictures; with pretrained weights, of fine-tuning after the head
    unfreeze         what is fine-tuned of pretrained weights. top: the last stages, from what those below give for each
                     picture and its mirror image, computed once; all: the whole network
    batch_size       pictures a step
    optimizer        sgd (Nesterov momentum), adam or adamw
    learning_rate    its peak
    schedule         one_cycle: up and down in straight lines; cosine: up in a line, down in a half wave
    warmup           share of the steps in which the rate rises
    label_smoothing  probability taken from the true class and spread over all (Szegedy et al., 2015)
    class_weights    balanced: each class weighs the same in the loss, however many pictures it has; with several
                     labels a picture, those that carry a class weigh as much as those that do not
    augment          augmentations, always on, in order; those that mix pictures come last, wherever they stand
    augment_if_safe  augmentations that might change a label: switched on once the selection split shows not
    patience         epochs without a better selection loss after which training stops; 0: never
    sync_batchnorm   with several processes: batch normalisation over the pictures of all of them; on GPUs alone
    keep             last: the final weights; best: those of the epoch with the best selection loss
    """

    model: str = "simple_cnn"
    weights: str | None = None
    size: int = 0
    fit: Literal["crop", "pad", "squash"] = "crop"
    epochs: int = 10
    unfreeze: Literal["top", "all"] = "all"
    batch_size: int = 128
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    schedule: Literal["one_cycle", "cosine"] = "one_cycle"
    warmup: float = 0.25
    label_smoothing: float = 0.05
    class_weights: Literal["none", "balanced"] = "none"
    augment: tuple[str, ...] = ()
    augment_if_safe: tuple[str, ...] = ("flip",)
    patience: int = 0
    sync_batchnorm: bool = False
    keep: Literal["last", "best"] = "last"

    def __post_init__(self) -> None:
        bounds = {
            "size": (self.size, 0, 4096), "epochs": (self.epochs, 0, 100_000),
            "batch_size": (self.batch_size, 1, 65_536),
            "learning_rate": (self.learning_rate, 0.0, 100.0), "momentum": (self.momentum, 0.0, 0.9999),
            "weight_decay": (self.weight_decay, 0.0, 10.0), "warmup": (self.warmup, 0.0, 0.9),
            "label_smoothing": (self.label_smoothing, 0.0, 0.9),
            "patience": (self.patience, 0, 100_000),
        }  # fmt: skip
        for name, (value, low, high) in bounds.items():
            if not low <= value <= high:
                raise ConfigError(f"{name} = {value}: must lie between {low} and {high}")
        known = [*AUGMENTATIONS.names(), *MIXINGS.names()]
        for name in (*self.augment, *self.augment_if_safe):
            if name not in known:
                raise ConfigError(nearest(name, known, "augmentation"))
        for name in self.augment_if_safe:
            if name in MIXINGS:
                raise ConfigError(
                    f"augment_if_safe: {name} mixes the labels along with the pictures, so there is no label that "
                    "it could do harm to; name it in augment"
                )
        for names in (self.augment, self.augment_if_safe):
            if len(set(names)) < len(names):
                raise ConfigError(f"augment: {', '.join(names)}: a name stands there twice")
        if self.unfreeze == "top" and self.weights is None:
            raise ConfigError("unfreeze = top: from scratch the whole network trains; it needs pretrained weights")
        if self.unfreeze == "top" and {*self.augment, *self.augment_if_safe} - {"flip"}:
            raise ConfigError(
                f"augment = {', '.join((*self.augment, *self.augment_if_safe))}: the last stages train from what those "
                "below gave for each picture and its mirror image; give flip alone, or unfreeze all"
            )
        if self.epochs == 0 and self.weights is None:
            raise ConfigError("epochs = 0 trains nothing; it makes sense only with pretrained weights")


def choose(
    survey: Survey, num_train: int, pretrained: tuple[str, str] | None, task: str = "single"
) -> tuple[Recipe, dict[str, object], str]:
    """The default recipe for some data: recipe, options of its network, and the reason in a sentence.

    `pretrained`: network and weights to start from, or None.
    """
    if pretrained is not None:
        recipe, options, why = _transfer(*pretrained)
    elif max(survey.height, survey.width) <= SMALL_SIDE:
        recipe, options, why = _small_pictures(survey, num_train)
    else:
        recipe, options, why = _photographs(num_train)
    return FOR_TASK[task](recipe), options, why


def _for_several(recipe: Recipe) -> Recipe:
    """Labels speak of the whole picture, so none of it is cut off; each class has a probability of its own, which
    smoothing would draw to one half."""
    return replace(recipe, fit="pad", label_smoothing=0.0)


def _for_numbers(recipe: Recipe) -> Recipe:
    """As for several labels; and any augmentation may change a number (a crop a count, a shift a place), so all of
    them wait until the selection pictures show that they do not."""
    waiting = (*recipe.augment, *recipe.augment_if_safe)
    return replace(recipe, fit="pad", label_smoothing=0.0, augment=(), augment_if_safe=waiting)


FOR_TASK: dict[str, Callable[[Recipe], Recipe]] = {
    "single": lambda recipe: recipe,
    "multi": _for_several,
    "number": _for_numbers,
}


def _small_pictures(survey: Survey, num_train: int) -> tuple[Recipe, dict[str, object], str]:
    """A light network at the pictures' own size. Measured on MNIST: width 16 with BatchNorm reaches 99.2 % in one
    epoch of batches of 64 at a rate of 0.3, 99.1 % in two of 128 at 0.1; colour needs width and more epochs."""
    width, views = (16, 60_000) if survey.grey else (48, 500_000)
    options: dict[str, object] = {"norm": "batch", "width": width, "dense": 0}
    epochs = min(60, max(1, round(views / num_train)))
    why = f"small {'grey' if survey.grey else 'colour'} pictures: a light network at their own size"
    batch_size, rate = (64, 0.3) if survey.grey else (128, 0.2)
    recipe = Recipe(epochs=epochs, batch_size=batch_size, learning_rate=rate, augment=("pad_crop",))
    return recipe, options, why


def _photographs(num_train: int) -> tuple[Recipe, dict[str, object], str]:
    recipe = Recipe(
        model="resnet18",
        size=128,
        epochs=min(60, max(3, round(15_000 / num_train))),
        batch_size=32,
        learning_rate=0.05,
        augment=("resized_crop",),
    )
    return (
        recipe,
        {},
        "photographs from scratch: ResNet-18 at 128 pixels (pretrained --weights would do better)",
    )


def _transfer(model: str, weights: str) -> tuple[Recipe, dict[str, object], str]:
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
    return recipe, {}, "pretrained weights: the head is fitted on the frozen network's features"


def whole(recipe: Recipe) -> Recipe:
    """The defaults for pretrained weights where the whole network is fine-tuned."""
    return replace(recipe, unfreeze="all", learning_rate=1e-4, augment=("resized_crop",))
