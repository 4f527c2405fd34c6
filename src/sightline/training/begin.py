"""What a network starts from besides weights. Comes in: a Network and pictures that train; goes out: the same Network.

From scratch it may take what it starts from out of pictures; a run's network may be made smaller. Must not know files.
"""

from pathlib import Path

from sightline.data.batches import Batches
from sightline.engines.torch import default_device, normalised
from sightline.models import Network
from sightline.run import Run
from sightline.training.objectives import Objective
from sightline.training.recipe import Recipe


def reads_stages(recipe: Recipe) -> bool:
    """Whether a head may read stages below the last: of a pruned network only where the run's own does, for it takes
    time (a network of half the multiply-adds, of 28 pixels, answered 0.8 times as fast with it)."""
    return not recipe.prune or recipe.weights is None or bool(Run.open(Path(recipe.weights)).config.stages)


def begin(network: Network, batches: Batches, recipe: Recipe, objective: Objective) -> None:
    """In place. Raises ConfigError where as much as the recipe wants cannot be taken away."""
    if recipe.weights is None and network.takes_pictures:
        network.begin(normalised(batches.sample(), batches.preprocessing, channels_last=False))
    if recipe.weights is not None and recipe.prune:
        from sightline.training.pruning.prune import prune
        from sightline.training.teacher import Teacher

        run = Teacher.of(recipe.weights, batches.dataset.classes, batches.dataset.task)
        prune(network.to(default_device()), run, batches, objective, recipe.prune)
