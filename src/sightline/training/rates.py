"""Which learning rates a network can bear on some data: a few steps at rates that rise from next to nothing until the
loss does (Smith, 2017, Cyclical learning rates for training neural networks).

Comes in: what a training is asked for; goes out: the loss at each rate, and the rate to take. Nothing is kept of what
was learned. Must not know the terminal.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any  # Any: recipe fields of several types

from sightline.data.dataset import Dataset
from sightline.errors import ConfigError, TrainingError
from sightline.training import prepare
from sightline.training.options import Options
from sightline.training.progress import Progress, Silent
from sightline.training.recipe import Recipe
from sightline.training.repeatable import threads_restored
from sightline.training.untrained import untrained

if TYPE_CHECKING:
    from torch import Tensor

    from sightline.data.batches import Batch, Batches
    from sightline.training.optimise import LossOf, Optimizer

NUM_STEPS = 120
BELOW, ABOVE = 1e-3, 1e2  # times the recipe's rate: where the rates begin and end
MAX_RATE = 100.0
REMEMBERED = 0.9  # of the losses before, in a smoothed one
MIN_STEPS = 30  # before the loss may be said to have risen
# Where most of what can be learned in so few steps is learned. The rate of the least loss lies at twice that and more,
# where a whole training may not hold; where the loss falls the fastest it is a tenth of what serves: docs/rates.md.
ENOUGH = 0.95


@dataclass(frozen=True)
class Tried:
    """A step: its rate, the loss before it, and the mean of the losses up to it, the last ones weighing the most."""

    rate: float
    loss: float
    smoothed: float


@dataclass(frozen=True)
class Rates:
    """What a sweep found. `default`: the recipe's rate; `name`, `sentence`: of the data, and what was trained."""

    steps: tuple[Tried, ...]
    default: float
    name: str
    sentence: str

    @property
    def least(self) -> Tried:
        """The step of the least smoothed loss."""
        return min(self.steps, key=lambda step: step.smoothed)

    @property
    def suggested(self) -> float:
        """The lowest rate by which the loss has done most of its fall. Raises TrainingError where it never fell."""
        first, least = self.steps[0].smoothed, self.least
        if least.smoothed > 0.98 * first:
            raise TrainingError(
                f"the loss fell at no rate (from {first:.3f} to {least.smoothed:.3f}): look at the labels (sightline "
                "check), or take another network"
            )
        enough = first - ENOUGH * (first - least.smoothed)
        return next(step.rate for step in self.steps if step.smoothed <= enough)

    def page(self) -> str:
        """One self-contained HTML page. Raises TrainingError where there is no rate to suggest."""
        from sightline import __version__
        from sightline.report.page import render_rates
        from sightline.report.sweep import SweepFacts

        steps = tuple((step.rate, step.loss, step.smoothed) for step in self.steps)
        created = datetime.now(UTC).isoformat(timespec="seconds")
        facts = SweepFacts(self.name, created, __version__, steps, self.suggested, self.default, self.sentence)
        return render_rates(facts)


@threads_restored()
def find_rates(
    data: str | Path | Dataset,
    settings: Mapping[str, Any] | None = None,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Rates:
    """Sweep the learning rate on the pictures that train, from a thousandth of the recipe's to a hundred times as much.

    The network, its weights, the batches and their augmentation are what `train` would take; of pretrained weights the
    whole network moves, its head fitted before. Raises ConfigError, TrainingError, and what `train` raises.
    """
    import torch

    from sightline.engines.memory import unless_too_large
    from sightline.engines.torch import TorchEngine, default_device, flushing_denormals
    from sightline.training import finish, settle
    from sightline.training.loop import train_mode
    from sightline.training.optimise import LossOf, Optimizer
    from sightline.training.transfer import head

    progress, options, settings = progress or Silent(), options or Options(), dict(settings or {})
    if settings.get("weights") not in (None, "none"):
        settings["unfreeze"] = "all"
    network, what, table, batches, objective, cache, _ = untrained(data, settings, options, progress, _check_rate)
    recipe = what.recipe
    plan = settle.plan_for(network, batches, recipe, objective, options)
    torch.set_num_threads(plan.num_threads)
    config = finish.run_config(network, table, what.preprocessing, plan)
    engine = TorchEngine.build(network, config, default_device())
    if with_head := recipe.weights is not None and network.has_linear_head:
        head.fit_head(engine, batches, objective, progress, table.records["hash"], cache)

    optimiser, loss_of = Optimizer(network, recipe, plan), LossOf(network, objective, batches.preprocessing, plan)
    low, high = recipe.learning_rate * BELOW, min(recipe.learning_rate * ABOVE, MAX_RATE)
    steps, total = list[Tried](), 0.0
    train_mode(network, keep_statistics=with_head)
    with flushing_denormals():
        for number, batch in zip(range(NUM_STEPS), _endless(batches), strict=False):
            rate = low * (high / low) ** (number / (NUM_STEPS - 1))
            if (loss := unless_too_large(partial(_gradients, loss_of, optimiser, batch))) is None:
                raise TrainingError(
                    f"memory does not do for {len(batch.labels)} pictures; make batches smaller (--set batch_size=N)"
                )
            optimiser.step(rate)
            value = loss.item()
            total = REMEMBERED * total + (1 - REMEMBERED) * value
            tried = Tried(rate, value, total / (1 - REMEMBERED ** (number + 1)))
            if not math.isfinite(tried.smoothed):
                break
            steps.append(tried)
            progress.step(number + 1, NUM_STEPS, f"rate {rate:.2g}  loss {tried.smoothed:.3f}")
            if number >= MIN_STEPS and tried.smoothed > max(steps[0].smoothed, 2 * min(s.smoothed for s in steps)):
                break  # from here on it only rises
    if len(steps) < 2:
        raise TrainingError(f"the loss is {value:g} in the first steps; look at the data (sightline check)")
    return Rates(tuple(steps), recipe.learning_rate, prepare.name_of(data), what.sentence())


def _check_rate(recipe: Recipe) -> None:
    if not recipe.learning_rate:
        raise ConfigError("learning_rate = 0 has no multiples; leave it to the recipe")
    if recipe.sam:
        raise ConfigError("sam: rates are found by plain steps; leave it out here")


def _gradients(loss_of: LossOf, optimiser: Optimizer, batch: Batch) -> Tensor:
    optimiser.backward(loss := loss_of(batch))
    return loss


def _endless(batches: Batches) -> Iterator[Batch]:
    """Epoch after epoch."""
    number = 1
    while True:
        yield from batches.epoch(number)
        number += 1
