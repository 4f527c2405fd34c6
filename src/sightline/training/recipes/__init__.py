"""How a network is trained unless told otherwise: one file, one kind of data.

Comes in: what the data looks like; goes out: a Recipe, options of its network, and why. Each module's docstring opens
with what it is for; `sightline recipes` lists them. Must not know torch. Each module exposes

    WHEN           for which data, in a few words
    COMMAND        how it is called for
    MEASURED       what came of it on MACHINE: `Measured`, several or none
    fits(seen)     whether it is for what was seen; of all recipes exactly one is
    choose(seen)   the Recipe and what belongs to it
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any  # recipe fields of several types

from sightline.data.reading.scan import Survey
from sightline.registry import Registry
from sightline.training.recipe import Recipe

RECIPES = Registry("sightline.training.recipes", "recipe", ("WHEN", "COMMAND", "MEASURED", "fits", "choose"))
MAX_EPOCHS = 60
MACHINE = "two cores of a Xeon with AMX; few small pictures: of an EPYC with AVX-512"
# For networks that normalise what their filters give. Measured from scratch, by three epochs of 2,800 MNIST digits
# and six of 725 waste photographs: right more often than by SGD in each of 16 cases, mostly by ten points and more.
MUON: dict[str, Any] = {"optimizer": "muon", "learning_rate": 0.1, "momentum": 0.6, "weight_decay": 0.0, "warmup": 0.1}
Measured = tuple[str, float, str]  # what, seconds of the whole command, accuracy with its range


@dataclass(frozen=True)
class Seen:
    """What the pictures that train look like, how many they are, the network asked for, if any, the network and weights
    to start from, if any, the budget, if any, whether what it starts from is made smaller first, and whether the
    network normalises what its filters give, as Muon needs it."""

    survey: Survey
    num_train: int
    model: str | None = None
    pretrained: tuple[str, str] | None = None
    minutes: float | None = None
    is_pruned: bool = False
    suits_muon: bool = True

    @property
    def is_small(self) -> bool:
        """Small pictures, to be trained on from scratch."""
        return self.pretrained is None and self.survey.is_small

    def epochs(self, num_views: int, least: int = 1, most: int = MAX_EPOCHS) -> int:
        """In which so many pictures are seen, each as often as it takes."""
        return min(most, max(least, round(num_views / self.num_train)))


@dataclass(frozen=True)
class Chosen:
    """A recipe, options of its network, and the reason in a sentence."""

    recipe: Recipe
    why: str
    options: Mapping[str, object] = field(default_factory=dict)


def choose(seen: Seen, task: str = "single") -> Chosen:
    """The recipe for what was seen."""
    modules = (RECIPES.get(name) for name in RECIPES.names())
    (module,) = (module for module in modules if module.fits(seen))
    chosen: Chosen = module.choose(seen)
    return replace(chosen, recipe=for_task(chosen.recipe, task))


def for_task(recipe: Recipe, task: str) -> Recipe:
    """What a recipe for one class a picture is for another task; to it twice is as once."""
    return _FOR_TASK[task](recipe)


def _for_several(recipe: Recipe) -> Recipe:
    """Labels speak of the whole picture, so none of it is cut off; each class has a probability of its own, which
    smoothing would draw to one half."""
    return replace(recipe, fit="pad", label_smoothing=0.0)


def _for_numbers(recipe: Recipe) -> Recipe:
    """As for several labels; and any augmentation may change a number (a crop a count, a shift a place), so all of
    them wait until the selection pictures show that they do not. Nor is the mean over shifted pictures taken, or a
    picture scaled."""
    waiting = (*recipe.augment, *recipe.augment_if_safe)
    return replace(recipe, fit="pad", sizes=(), label_smoothing=0.0, augment=(), augment_if_safe=waiting, tta=())


_FOR_TASK: dict[str, Callable[[Recipe], Recipe]] = {
    "single": lambda recipe: recipe,
    "multi": _for_several,
    "number": _for_numbers,
}
