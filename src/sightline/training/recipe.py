"""How a network is trained: every value of it, checked when it is made.

The defaults for some data and their reasons are in `recipes`; flags, `--set key=value` and a TOML file change single
fields. Must not know torch: a mistake in a recipe is found before anything heavy is imported.
"""

from dataclasses import dataclass
from typing import Literal

from sightline.data.augment import AUGMENTATIONS
from sightline.data.mixing import MIXINGS
from sightline.errors import ConfigError, nearest
from sightline.run import TTA

MIN_SIZE = 8  # pixels of a frame that trains


MAX_EPOCHS = 100_000
MAX_PRUNED = 0.95  # of the multiply-adds


@dataclass(frozen=True)
class Recipe:
    """
    model            a name of `sightline models`
    weights          what to start from: `pretrained`, a tag, a path; none: from scratch
    teacher          a run whose answers are learned beside the labels (distillation; Hinton et al., 2015)
    prune            share of the multiply-adds of `weights`, a run, that is taken away with the channels that are worth
                     the least; what is left is trained with that run as its teacher; 0: none
    size             side of the network's input in pixels; 0: as the pictures, or as the weights were trained
    sizes            long sides of the frame that trains, in pixels, each for an equal share of the steps (progressive
                     resizing); none: size throughout. The last may be less than size, which answers (Touvron et al.,
                     2019, Fixing the train-test resolution discrepancy)
    fit              how a picture gets into the frame: crop, pad or squash
    epochs           passes over the training pictures, 0.5: half of them; with pretrained weights, of fine-tuning after
                     the head
    unfreeze         what is fine-tuned of pretrained weights. top: the last stages, from what those below give for each
                     picture and its mirror image, computed once; all: the whole network
    batch_size       pictures a step
    optimizer        sgd (Nesterov momentum), adam, adamw; or muon, for convolutions that normalisation follows
    learning_rate    its peak
    layer_decay      what the rate is multiplied by for each stage further from the head (1: the same for all)
    clip_norm        the longest that the gradient of all weights together may be; 0: any
    sam              how far around the weights the loss is kept low too, by a second pass a step (sharpness-aware
                     minimisation; Foret et al., 2021); 0: not
    schedule         one_cycle: up and down in straight lines; cosine: up in a line, down in a half wave
    warmup           share of the steps in which the rate rises
    ema              share of the training over which weights are averaged (their exponential moving average answers);
                     0: none
    label_smoothing  probability taken from the true class and spread over all (Szegedy et al., 2015)
    balance          of classes that differ in their numbers of pictures. weights: each weighs the same in the loss
                     (with several labels, pictures that carry a class as much as those that do not); sampling: each
                     comes equally often; focal: the loss of what is known for sure counts less (Lin et al., 2017);
                     logit_adjustment: frequent classes must be surer (Menon et al., 2021)
    augment          augmentations, always on, in order; those that mix pictures come last, wherever they stand
    augment_if_safe  augmentations that might change a label: switched on once the selection split shows not
    patience         epochs without a better selection loss after which training stops; 0: never
    sync_batchnorm   with several processes: batch normalisation over the pictures of all of them; on GPUs alone
    tta              views of a picture over which the run averages its answer (test-time augmentation): flip, where
                     that proved safe; shift
    keep             last: the final weights; best: those of the epoch with the best selection loss
    """

    model: str = "simple_cnn"
    weights: str | None = None
    teacher: str | None = None
    prune: float = 0.0
    size: int = 0
    sizes: tuple[int, ...] = ()
    fit: Literal["crop", "pad", "squash"] = "crop"
    epochs: float = 10
    unfreeze: Literal["top", "all"] = "all"
    batch_size: int = 128
    optimizer: Literal["sgd", "adam", "adamw", "muon"] = "sgd"
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    layer_decay: float = 1.0
    clip_norm: float = 0.0
    sam: float = 0.0
    schedule: Literal["one_cycle", "cosine"] = "one_cycle"
    warmup: float = 0.25
    ema: float = 0.0
    label_smoothing: float = 0.05
    balance: Literal["none", "weights", "sampling", "focal", "logit_adjustment"] = "none"
    augment: tuple[str, ...] = ()
    augment_if_safe: tuple[str, ...] = ("flip",)
    patience: int = 0
    sync_batchnorm: bool = False
    tta: tuple[str, ...] = ()
    keep: Literal["last", "best"] = "last"

    def __post_init__(self) -> None:
        bounds = {
            "prune": (self.prune, 0.0, MAX_PRUNED), "size": (self.size, 0, 4096),
            "epochs": (self.epochs, 0, MAX_EPOCHS),
            "batch_size": (self.batch_size, 1, 65_536),
            "learning_rate": (self.learning_rate, 0.0, 100.0), "momentum": (self.momentum, 0.0, 0.9999),
            "weight_decay": (self.weight_decay, 0.0, 10.0), "layer_decay": (self.layer_decay, 0.01, 1.0),
            "clip_norm": (self.clip_norm, 0.0, 1e6), "sam": (self.sam, 0.0, 10.0), "warmup": (self.warmup, 0.0, 0.9),
            "ema": (self.ema, 0.0, 1.0), "label_smoothing": (self.label_smoothing, 0.0, 0.9),
            "patience": (self.patience, 0, MAX_EPOCHS),
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
        for field, names in (("augment", self.augment), ("augment", self.augment_if_safe), ("tta", self.tta)):
            if len(set(names)) < len(names):
                raise ConfigError(f"{field}: {', '.join(names)}: a name stands there twice")
        if min(self.sizes, default=MIN_SIZE) < MIN_SIZE:
            raise ConfigError(f"sizes = {min(self.sizes)}: the least is {MIN_SIZE}")
        if self.sizes and self.unfreeze == "top":
            raise ConfigError("sizes: the last stages train from what those below gave for pictures of one size")
        for name in self.tta:
            if name not in TTA:
                raise ConfigError(nearest(name, TTA, "view for tta"))
        if self.unfreeze == "top" and self.weights is None:
            raise ConfigError("unfreeze = top: from scratch the whole network trains; it needs pretrained weights")
        if self.unfreeze == "top" and {*self.augment, *self.augment_if_safe} - {"flip"}:
            raise ConfigError(
                f"augment = {', '.join((*self.augment, *self.augment_if_safe))}: the last stages train from what those "
                "below gave for each picture and its mirror image; give flip alone, or unfreeze all"
            )
        if self.teacher and self.unfreeze == "top":
            raise ConfigError(
                "teacher: it answers augmented pictures, which last stages that train by themselves do not see; take "
                "unfreeze = all"
            )
        if self.prune and self.weights is None:
            raise ConfigError("prune: name the run to be made smaller (--weights RUN)")
        if self.prune and self.unfreeze == "top":
            raise ConfigError("prune: channels go from all stages, so all of them have to train; take unfreeze = all")
        if self.epochs == 0 and self.weights is None:
            raise ConfigError("epochs = 0 trains nothing; it makes sense only with pretrained weights")

    @property
    def passes(self) -> int:
        """Through the network, a step."""
        return 2 if self.sam else 1

    def num_steps(self, steps_an_epoch: int) -> int:
        """Of the epochs, one at least where there are any."""
        return max(1, round(self.epochs * steps_an_epoch)) if self.epochs else 0
