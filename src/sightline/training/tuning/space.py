"""What a search may change of a recipe, and in which bounds. Comes in: the recipe of the defaults; goes out: a Space.

The bounds lie around the defaults: a search starts from what is known to work and looks whether something near it works
better here. Must not know torch, nor how settings are proposed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, get_args, get_type_hints

from sightline.errors import ConfigError, nearest
from sightline.training.recipe import Recipe

if TYPE_CHECKING:
    from optuna.trial import Trial

Value = float | int | str | tuple[str, ...]
# The rate of an optimiser in terms of that of SGD: Adam's steps do not shrink with the gradient, and around 0.001 is
# usual for it where SGD takes 0.1.
RELATIVE_RATE = {"sgd": 1.0, "adam": 0.01, "adamw": 0.01, "muon": 1.0}
SPAN = 10.0  # a decay is looked for from a tenth of the default to ten times it, a rate from a tenth on
MAX_RATE = 3.0  # times the default: at nine times, digits and chest X-rays were answered by chance
AUGMENTATIONS_ADDED = ("trivialaugment", "erasing", "mixup")  # to the default ones, one at a time
# Without label_smoothing: it makes answers less sure, which the selection loss counts against it. On PneumoniaMNIST it
# came out near 0 twice, as what mattered most, and the test loss was the worse for it or for something found with it.
FROM_SCRATCH = ("learning_rate", "weight_decay", "optimizer", "augment")
FINE_TUNING = ("learning_rate", "weight_decay", "augment")


@dataclass(frozen=True)
class Factor:
    """A multiple of the default, its logarithm uniform."""

    low: float = 1 / SPAN
    high: float = SPAN

    def suggest(self, trial: Trial, name: str) -> float:
        return trial.suggest_float(name, self.low, self.high, log=True)


@dataclass(frozen=True)
class Between:
    low: float
    high: float

    def suggest(self, trial: Trial, name: str) -> float:
        return trial.suggest_float(name, self.low, self.high)


@dataclass(frozen=True)
class OneOf:
    """Names of values; the first is the default."""

    names: tuple[str, ...]

    def suggest(self, trial: Trial, name: str) -> str:
        return str(trial.suggest_categorical(name, self.names))


Range = Factor | Between | OneOf


@dataclass(frozen=True)
class Space:
    """field -> where its value is looked for, around those of the recipe `default`."""

    default: Recipe
    ranges: Mapping[str, Range]

    def of_default(self) -> dict[str, float | str]:
        """What the sampler is told to try first."""
        found: dict[str, float | str] = {}
        for name, among in self.ranges.items():
            value = getattr(self.default, name)
            if isinstance(among, Factor):
                found[name] = 1.0
            else:
                found[name] = among.names[0] if isinstance(among, OneOf) else float(value)
        return found

    def suggested(self, trial: Trial) -> dict[str, Value]:
        """Settings for `trial`, by its sampler: field -> value."""
        return self.settings({name: among.suggest(trial, name) for name, among in self.ranges.items()})

    def settings(self, drawn: Mapping[str, float | str]) -> dict[str, Value]:
        """What was drawn as fields of the recipe: factors become rates, of the optimiser that was drawn with them."""
        ratio = RELATIVE_RATE[str(drawn.get("optimizer", self.default.optimizer))]
        ratio /= RELATIVE_RATE[self.default.optimizer]
        # What a step takes from a weight is the rate times the decay: that stays, whatever the optimiser.
        base = {
            "learning_rate": self.default.learning_rate * ratio,
            "weight_decay": self.default.weight_decay / ratio,
        }
        found: dict[str, Value] = {}
        for name, value in drawn.items():
            if name in base:
                found[name] = rounded(base[name] * float(value))
            elif name == "augment":
                found[name] = tuple(part for part in str(value).split("+") if part != "none")
            elif name == "batch_size":
                found[name] = int(value)
            else:
                found[name] = rounded(value) if isinstance(value, float) else value
        return found

    def sentence(self) -> str:
        """In a line, for the user."""
        return "; ".join(f"{name} {self._described(name, among)}" for name, among in self.ranges.items())

    def _described(self, name: str, among: Range) -> str:
        if isinstance(among, OneOf):
            return " or ".join(among.names)
        if isinstance(among, Between):
            return f"{among.low:g} to {among.high:g}"
        value = getattr(self.default, name)
        text = f"{value * among.low:.3g} to {value * among.high:.3g}"
        others = self.ranges.get("optimizer")
        return text + (f" (for {self.default.optimizer})" if isinstance(others, OneOf) else "")


def rounded(value: float) -> float:
    """To four digits: what is reported is what was trained, and more would tell nothing."""
    return float(f"{value:.4g}")


def _augment(recipe: Recipe) -> OneOf:
    own = recipe.augment
    choices = [own, *((*own, name) for name in AUGMENTATIONS_ADDED if name not in own), ()]
    return OneOf(tuple(dict.fromkeys("+".join(choice) or "none" for choice in choices)))


def _first(value: str, *others: str) -> OneOf:
    return OneOf(tuple(dict.fromkeys((value, *others))))


BALANCES = get_args(get_type_hints(Recipe)["balance"])
RANGES: dict[str, Callable[[Recipe], Range]] = {
    "learning_rate": lambda recipe: Factor(high=min(MAX_RATE, 100 / recipe.learning_rate)),
    "weight_decay": lambda recipe: Factor(),
    "optimizer": lambda recipe: _first(recipe.optimizer, "sgd", "adamw"),
    "label_smoothing": lambda recipe: Between(0.0, 0.2),
    "augment": _augment,
    "momentum": lambda recipe: Between(min(0.8, recipe.momentum), 0.98),
    "warmup": lambda recipe: Between(0.05, 0.5),
    "layer_decay": lambda recipe: Between(0.5, 1.0),
    "clip_norm": lambda recipe: Between(0.1, max(10.0, recipe.clip_norm)),
    "sam": lambda recipe: Between(0.0, max(0.2, recipe.sam)),
    "schedule": lambda recipe: _first(recipe.schedule, "one_cycle", "cosine"),
    "ema": lambda recipe: Between(0.0, 0.2),
    "balance": lambda recipe: _first(recipe.balance, *BALANCES),
    "batch_size": lambda recipe: OneOf(
        tuple(str(n) for n in (recipe.batch_size, recipe.batch_size // 2, recipe.batch_size * 2) if n)
    ),
}
# Fields that a recipe has and a search leaves alone, and why.
FIXED = {
    "model": "pictures are decoded, and a plan is measured, for one network: search with one --model after the other",
    "weights": "search with one --weights after the other",
    "teacher": "search with one --teacher after the other",
    "prune": "search with one --set prune after the other",
    "size": "pictures are decoded once, at one size",
    "sizes": "smaller pictures make a training shorter, which a search does not weigh against its score",
    "fit": "pictures are decoded once, in one way",
    "epochs": "more are nearly always better, and cost more; fix them with --epochs",
    "unfreeze": "search with --set unfreeze=top, then with all",
    "patience": "it says when a training stops, not how it learns",
    "keep": "a search compares what is kept; --set keep=best keeps the best epoch of every trial",
    "tta": "it says how the run answers, not how it learns",
    "sync_batchnorm": "it asks for several processes, and a search trains in one",
    "augment_if_safe": "these switch themselves on once the selection pictures show no harm",
}


def check_names(wanted: Sequence[str], settings: Mapping[str, object]) -> None:
    """Raise ConfigError for fields that cannot be searched, before anything is read."""
    for name in wanted:
        if name in FIXED:
            raise ConfigError(f"--search {name}: is not searched: {FIXED[name]}")
        if name not in RANGES:
            raise ConfigError(f"--search: {nearest(name, RANGES, 'field')}")
        if name in settings:
            raise ConfigError(f"--search {name}: it is fixed, {name} = {settings[name]}; fix it or search it")
    if len(set(wanted)) < len(wanted):
        raise ConfigError(f"--search {','.join(wanted)}: a name stands there twice")


def space_of(default: Recipe, task: str, wanted: Sequence[str], settings: Mapping[str, object]) -> Space:
    """The fields in `wanted`, or, where it is empty, those that matter most and are not among `settings`.

    Raises ConfigError where nothing is left to search, or a field means nothing for this recipe or task.
    """
    if default.epochs == 0:
        raise ConfigError(
            "nothing to search: with epochs = 0 the head alone is fitted, and how strongly it is regularised is "
            "cross-validated already (sightline train). To search how the network is fine-tuned, give epochs "
            "(--epochs 5)"
        )
    useless = _useless(default, task, wanted, settings)
    for name in wanted:
        if name in useless:
            raise ConfigError(f"--search {name}: {useless[name]}")
    usual = FROM_SCRATCH if default.weights is None else FINE_TUNING
    names = [name for name in wanted or usual if name not in settings and name not in useless]
    if not names:
        raise ConfigError(
            f"nothing to search: {', '.join(usual)} are fixed; leave some to the search, or name others (--search)"
        )
    ranges = {field.name: RANGES[field.name](default) for field in fields(Recipe) if field.name in names}
    if task == "multi" and isinstance(among := ranges.get("balance"), OneOf):
        ranges["balance"] = OneOf(tuple(name for name in among.names if name != "sampling"))
    return Space(default, ranges)


def _useless(default: Recipe, task: str, wanted: Sequence[str], settings: Mapping[str, object]) -> dict[str, str]:
    """field -> why searching it would tell nothing here, or something false."""
    found: dict[str, str] = {}
    if task == "number":
        found["label_smoothing"] = found["balance"] = "means nothing where numbers are estimated"
        found["augment"] = "any augmentation may change a number; each is tried on the selection pictures already"
    elif task == "multi" and "label_smoothing" not in wanted:
        found["label_smoothing"] = "each class has a probability of its own, which smoothing would draw to one half"
    if default.unfreeze == "top":
        found["augment"] = "the last stages train from what those below gave for plain and mirrored pictures"
    if default.weight_decay == 0:
        found["weight_decay"] = "weight_decay = 0 has no multiples"
    fixed = [name for name in ("learning_rate", "weight_decay") if name in settings]
    if fixed:
        found["optimizer"] = f"{' and '.join(fixed)} would mean something else for another one; leave them free"
    if default.optimizer == "muon":
        found["weight_decay"] = "with muon it acts on the head alone: filters keep their norm"
        found["optimizer"] = "muon's rate and momentum would mean something else for another one; set it"
    elif default.optimizer != "sgd" and "optimizer" not in wanted:
        found["momentum"] = f"{default.optimizer} has none"
    return found
