"""All that a training begins with but its plan, and the plan that it would take; nothing is trained, no run is left.

Comes in: what `train` takes; goes out: a network, its batches, its objective. Must not know the terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple  # Any: recipe fields of several types

from sightline.data.dataset import Dataset
from sightline.data.packs.cache import Cache
from sightline.data.reading.scan import Survey, survey
from sightline.errors import ConfigError
from sightline.training import prepare, train
from sightline.training.options import Options
from sightline.training.progress import Progress, Silent
from sightline.training.resolve import Resolved, check

if TYPE_CHECKING:
    from sightline.data.batches import Batches
    from sightline.models import Network
    from sightline.training.objectives import Objective
    from sightline.training.planning.plan import Plan
    from sightline.training.prepare import Table
    from sightline.training.recipe import Recipe


class Untrained(NamedTuple):
    """All that a training begins with but its plan. `look`: what the recipe was chosen by."""

    network: Network
    what: Resolved
    table: Table
    batches: Batches
    objective: Objective
    cache: Cache | None
    look: Survey


def untrained(
    data: str | Path | Dataset,
    settings: Mapping[str, Any],
    options: Options,
    progress: Progress,
    check_recipe: Callable[[Recipe], None],
) -> Untrained:
    """What `train` would train, in one process. `check_recipe` may raise before the pictures are read."""
    check(settings)
    cache = Cache.default(progress.say) if options.cache else None
    table = prepare.open_table(data, options.fold, options.exclude, progress)
    look = survey(table.dataset, table.parts.rows("train"), cache)

    from sightline.training import objectives
    from sightline.training.begin import begin

    network, what, _ = train.network_for(dict(settings), look, table, options, progress)
    check_recipe(what.recipe)
    table = prepare.decode(table, what.preprocessing, options.skip_bad, options.num_workers, progress, cache)
    batches = train.batches_of(what, table, options)
    objective = objectives.build(table.dataset.labels[batches.rows], network.num_classes, what.recipe)
    begin(network, batches, what.recipe, objective)
    return Untrained(network, what, table, batches, objective, cache, look)


def show_plan(
    data: str | Path | Dataset,
    settings: Mapping[str, Any] | None = None,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Plan:
    """What `train` would take for its Plan, measured now; nothing is trained and no run is left. Raises as `train`."""
    options = options or Options()

    def has_steps(recipe: Recipe) -> None:
        if not recipe.epochs:
            raise ConfigError(
                "--plan show: the head alone is fitted, without a step that could be timed; give --epochs"
            )

    begun = untrained(data, settings or {}, options, progress or Silent(), has_steps)

    from sightline.training import settle

    return settle.plan_for(begun.network, begun.batches, begun.what.recipe, begun.objective, options, is_new=True)
