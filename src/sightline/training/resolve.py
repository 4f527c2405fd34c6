"""From what was asked for and what the data looks like to what will be done: recipe, network, preprocessing.

Comes in: flags, a TOML file, a Survey, weights; goes out: a Resolved with a sentence why. Must not train.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline import config
from sightline.data.preprocess import Preprocessing
from sightline.data.reading.scan import SMALL_SIDE, Survey
from sightline.errors import ConfigError
from sightline.run import preprocessing_from_timm
from sightline.training.recipe import MIN_SIZE, Recipe
from sightline.training.recipes import Seen, choose, for_task
from sightline.training.recipes.pretrained import whole

if TYPE_CHECKING:
    from sightline.models import Weights

MODEL_PREFIX = "model."
FINE_TUNING_EPOCHS = 10
MIN_SIDE = 28  # pixels; smaller pictures are enlarged, for the small network pools three times


@dataclass(frozen=True)
class Resolved:
    """What will be done, every value settled. `why` is a sentence for the user."""

    recipe: Recipe
    model_options: Mapping[str, Any]  # Any: each network has its own
    preprocessing: Preprocessing
    why: str

    def sentence(self, makes_steps: bool | None = None) -> str:
        """The resolved recipe in a line. `makes_steps`: whether it will, as a budget does without epochs too."""
        r, p = self.recipe, self.preprocessing
        frame = f"{p.width}x{p.height}, {'grey' if p.channels == 1 else 'colour'}, {p.fit}"
        if r.sizes:
            frame += f", trained at {' '.join(map(str, r.sizes))}"
        if not (r.epochs if makes_steps is None else makes_steps):
            return f"Recipe: {r.model}; {frame}; the head alone, on pictures as they are"
        epochs = f"{r.epochs:g} epoch{'' if r.epochs == 1 else 's'}" if r.epochs else "as many epochs as time allows"
        options = "".join(f", {key} {value}" for key, value in self.model_options.items())
        return (
            f"Recipe: {r.model}{options}; {frame}; "
            f"{epochs}{' of the last stages' if r.unfreeze == 'top' else ''} "
            f"in batches of {r.batch_size}, {r.optimizer}, "
            f"rate {r.learning_rate:g}, {r.schedule}; "
            f"augmentation: {', '.join(r.augment) or 'none'}"
            + (f", and {', '.join(r.augment_if_safe)} if that proves safe" if r.augment_if_safe else "")
            + "".join(f"; {key} {value}" for key, value in _unusual(r).items())
        )


def _unusual(recipe: Recipe) -> dict[str, str]:
    """What most recipes do without, where this one does not."""
    usual, teacher = Recipe(), Path(recipe.teacher).name if recipe.teacher else None
    values = {"taught by": teacher, "balance by": recipe.balance if recipe.balance != usual.balance else None}
    numbers = {name: getattr(recipe, name) for name in ("prune", "layer_decay", "clip_norm", "sam", "ema")}
    values |= {name: f"{value:g}" for name, value in numbers.items() if value != getattr(usual, name)}
    return {key: value for key, value in values.items() if value is not None}


def settings_of(recipe_file: Mapping[str, Any], assignments: list[str], flags: Mapping[str, Any]) -> dict[str, Any]:
    """A TOML file, then `--set key=value`, then flags: the later wins. Options of the network are `model.key`."""
    values = dict(recipe_file)
    table = values.pop("model_options", {})
    if not isinstance(table, Mapping):
        raise ConfigError(f"recipe: model_options = {table!r}: must be a table, [model_options]")
    values |= {MODEL_PREFIX + key: value for key, value in table.items()}
    values |= config.parse_assignments(assignments)
    return values | {key: value for key, value in flags.items() if value is not None}


def check(settings: Mapping[str, Any]) -> None:
    """Raise ConfigError for a setting that no recipe has, before anything is read."""
    config.replace(
        Recipe(weights="any"), {k: v for k, v in settings.items() if not k.startswith(MODEL_PREFIX)}, "recipe"
    )


def without_top(settings: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """The settings for a network whose last stages cannot train by themselves. Raises ConfigError if that was asked."""
    if settings.get("unfreeze") == "top":
        raise ConfigError(f"unfreeze = top: {reason}; take unfreeze = all")
    return {**settings, "unfreeze": "all"}


def without_head(what: Resolved, settings: Mapping[str, Any]) -> Resolved:
    """The recipe for pretrained weights whose head is no linear layer: the whole network is fine-tuned instead."""
    if what.recipe.epochs > 0:
        return what
    if "epochs" in settings:
        raise ConfigError(
            f"epochs = 0: {what.recipe.model} has no linear head that could be fitted by itself; give epochs"
        )
    why = "pretrained weights, and a head that is no linear layer: the whole network is fine-tuned"
    return replace(what, recipe=replace(what.recipe, epochs=FINE_TUNING_EPOCHS), why=why)


def resolve(
    settings: Mapping[str, Any],
    survey: Survey,
    num_train: int,
    weights: Weights | None,
    task: str = "single",
    minutes: float | None = None,
    suits_muon: bool = True,
) -> Resolved:
    """Defaults for this data and budget, changed by `settings`. Raises ConfigError for an unknown or impossible one.

    `suits_muon`: the network normalises what its filters give.
    """
    own = {k.removeprefix(MODEL_PREFIX): v for k, v in settings.items() if k.startswith(MODEL_PREFIX)}
    rest = {k: v for k, v in settings.items() if not k.startswith(MODEL_PREFIX)}
    pretrained = (weights.architecture, str(settings["weights"])) if weights is not None else None
    if is_pruned := bool(rest.get("prune")):
        _check_is_run(weights, settings)
    chosen = choose(Seen(survey, num_train, settings.get("model"), pretrained, minutes, is_pruned, suits_muon), task)
    recipe, options, why = chosen.recipe, dict(chosen.options), chosen.why
    if weights is not None:
        rest.pop("weights", None)
        rest.pop("model", None)
    elif "model" in rest and rest["model"] != recipe.model:
        options, why = {}, f"{rest['model']} as asked for; {why.partition(':')[0]}"
    asked = (rest.get(key) for key in ("augment", "augment_if_safe", "teacher"))
    is_augmented = any(value and value != "none" for value in asked)
    unfreeze = rest.get("unfreeze", "all" if is_augmented else None)
    if weights is not None and unfreeze == "all" and not is_pruned:  # augmented pictures are not known beforehand
        recipe = for_task(whole(recipe), task)
    recipe = config.replace(recipe, rest, "recipe")
    preprocessing = _preprocessing(recipe, survey, weights)
    side = max(preprocessing.height, preprocessing.width)
    if recipe.sizes and "sizes" not in rest:
        recipe = replace(recipe, sizes=_scaled(recipe.sizes, side / chosen.recipe.size))
    if max(recipe.sizes, default=0) > side:
        raise ConfigError(
            f"sizes = {max(recipe.sizes)}: the frame that answers has {side} pixels; give a larger --size"
        )
    started_from = dict(weights.options) if weights is not None else options
    return Resolved(recipe, started_from | own, preprocessing, why)


def _check_is_run(weights: Weights | None, settings: Mapping[str, Any]) -> None:
    if weights is None or not weights.is_run:
        named = settings.get("weights")
        what = "name one" if named in (None, "none") else f"{named} is none; train it on these pictures, and name that"
        raise ConfigError(f"prune: it makes a run of yours smaller: {what} (--weights RUN)")


def _scaled(sizes: tuple[int, ...], factor: float) -> tuple[int, ...]:
    """For a frame that much larger, in steps of 8 pixels."""
    return tuple(max(MIN_SIZE, 8 * round(size * factor / 8)) for size in sizes)


def _preprocessing(recipe: Recipe, survey: Survey, weights: Weights | None) -> Preprocessing:
    """Of the weights where there are any; else the pictures' own size, mean and std."""
    if weights is not None and weights.config:
        found = preprocessing_from_timm({"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)} | weights.config)
        if recipe.size or weights.is_run:  # a run goes on at its own size
            height, width = (recipe.size, recipe.size) if recipe.size else (found.height, found.width)
            return replace(found, fit=recipe.fit, height=height, width=width)
        height, width = _enlarged(found.height), _enlarged(found.width)
        return replace(found, fit=recipe.fit, height=height, width=width, crop_fraction=1.0)
    height, width = (recipe.size, recipe.size) if recipe.size else _own_size(recipe, survey)
    channels = 1 if survey.grey and weights is None else 3
    # Photographs lose a margin in evaluation, as the random crops of training do; small pictures are kept whole.
    crop_fraction = 1.0 if max(height, width) <= SMALL_SIDE else 0.875
    return Preprocessing(
        height,
        width,
        channels,
        recipe.fit,
        crop_fraction,
        mean=survey.mean[:channels],
        std=survey.std[:channels],
    )


def _enlarged(side: int) -> int:
    """The size at which the features of pretrained weights are taken: larger than they were trained at.

    Objects look larger in the crops of training than in whole pictures (Touvron et al., 2019, FixRes). Measured with
    MobileNetV2: 288 px instead of 224 gains 1.5 points on ants and bees and 2 to 3 on waste photographs.
    """
    return max(side, 32 * round(side * 9 / 7 / 32))


def _own_size(recipe: Recipe, survey: Survey) -> tuple[int, int]:
    """The pictures' size where all have one; else a square of their median side, within what networks are made for."""
    from sightline import models

    if not survey.is_small:
        _, height, width = models.describe(recipe.model).input_size or (3, 224, 224)
        return height, width
    if survey.same_size and min(survey.height, survey.width) >= MIN_SIDE:
        return survey.height, survey.width
    side = max(MIN_SIDE, round((survey.height + survey.width) / 2))
    return side, side
