"""A training that leaves no run: up to the trained network, which is what comes out, with what came of it.

Comes in: all that it begins with, and a number of steps; nothing is written but features into the cache. Must not know
what is done with the network, or the terminal.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch

from sightline.data.batches import Batches
from sightline.data.packs.cache import Cache
from sightline.engines.torch import TorchEngine, default_device
from sightline.models import Network
from sightline.report import Epoch
from sightline.training import finish, loop
from sightline.training.begin import reads_stages
from sightline.training.loop import Outcome
from sightline.training.objectives import Objective
from sightline.training.planning.plan import Plan
from sightline.training.prepare import Selection, Table
from sightline.training.progress import Progress, Silent
from sightline.training.repeatable import threads_restored
from sightline.training.resolve import Resolved
from sightline.training.resuming.checkpoint import NoCheckpoints
from sightline.training.schedule import Schedule
from sightline.training.teacher import Teacher
from sightline.training.transfer import head, kept


class Begun(NamedTuple):
    """Ready for the first step."""

    network: Network
    what: Resolved
    batches: Batches
    objective: Objective
    plan: Plan


@threads_restored()
def trained(
    begun: Begun,
    table: Table,
    selection: Selection,
    num_steps: int,
    cache: Cache | None,
    log: Callable[[Epoch], None],
    progress: Progress,
) -> tuple[TorchEngine, Outcome]:
    """The network as `train` would leave it after `num_steps`, in its engine, and what came of the training.

    Raises what the loop raises.
    """
    network, what, batches, objective, plan = begun
    torch.set_num_threads(plan.num_threads)
    answering = finish.run_config(network, table, what.preprocessing, plan)
    engine, recipe = TorchEngine.build(network, answering, default_device()), what.recipe
    with_head, head_loss = recipe.weights is not None and network.has_linear_head, math.nan
    if with_head:
        hashes, others = table.records["hash"], reads_stages(recipe)
        head_loss = head.fit_head(engine, batches, objective, Silent(), hashes, cache, others).loss
    teacher, schedule = Teacher.for_recipe(recipe, table.dataset), Schedule(num_steps)
    upper = None
    if recipe.unfreeze == "top" and num_steps:
        batches, upper = kept.last_stages(engine, batches, recipe.augment_if_safe, None, Silent())
    outcome = loop.fit(
        engine, batches, selection, recipe, objective, plan, schedule, progress, log,
        NoCheckpoints(), with_head, head_loss, upper=upper, teacher=teacher,
    )  # fmt: skip
    return engine, outcome
