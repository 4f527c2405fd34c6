"""What all trials of a search share. Comes in: a search and its data; goes out: a Rehearsal, which trains by settings.

The pictures are read once, and those that test not at all; the plan is measured once. A trial is a training as `train`
does it, less test and report. Must not know how settings are proposed, or Optuna.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any  # Any: recipe fields of several types

from sightline.data.dataset import Dataset
from sightline.data.packs.cache import Cache
from sightline.data.reading.scan import Survey, survey
from sightline.errors import DataError
from sightline.metrics import MAIN
from sightline.training import prepare, train
from sightline.training.options import Options
from sightline.training.progress import Progress, Silent
from sightline.training.tuning.search import Search
from sightline.training.tuning.space import Space, space_of

if TYPE_CHECKING:
    from sightline.report import Epoch
    from sightline.training.loop import Outcome
    from sightline.training.prepare import Selection, Table
    from sightline.training.resolve import Resolved
    from sightline.training.unsaved import Begun


@dataclass
class Rehearsal:
    """The pictures, read once and without those that test, and what is searched."""

    begun: Search
    look: Survey
    table: Table
    space: Space
    what: Resolved
    selection: Selection
    options: Options
    cache: Cache | None

    @property
    def figure(self) -> str:
        """What the task's is called."""
        return MAIN[self.table.dataset.task]

    def train(self, settings: Mapping[str, Any], log: Callable[[Epoch], None], progress: Progress) -> Outcome:
        """As `train` does it, up to the trained network: only what came of it is kept."""
        from sightline.training import unsaved

        begun = self._begun(settings)
        num_steps = begun.what.recipe.num_steps(len(begun.batches))
        return unsaved.trained(begun, self.table, self.selection, num_steps, self.cache, log, progress)[1]

    def estimated_s(self) -> float:
        """What a whole trial of the default settings will take, by the steps that the plan has timed."""
        _, what, batches, _, plan = self._begun({})
        answers_s = len(self.selection.labels) * plan.answer_s(batches.batch_size)
        epoch_s = len(batches) * (plan.step_s + plan.batch_s) + answers_s
        return what.recipe.epochs * what.recipe.passes * epoch_s

    def _begun(self, settings: Mapping[str, Any]) -> Begun:
        """Ready for the first step. The plan is measured once for each size of a batch, and kept, so that trials
        differ by their settings and nothing else."""
        from sightline.training import objectives, settle
        from sightline.training.begin import begin
        from sightline.training.unsaved import Begun

        asked = self.begun.wanted.request
        wanted = {**asked.settings, **settings}
        network, what, _ = train.network_for(wanted, self.look, self.table, self.options, Silent())
        recipe, batches = what.recipe, train.batches_of(what, self.table, self.options)
        by_class = "balance" in self.space.ranges  # else trials would be judged by what they were not trained for
        labels = self.table.dataset.labels[batches.rows]
        objective = objectives.build(labels, network.num_classes, recipe, by_class)
        begin(network, batches, recipe, objective)
        plan = self.begun.plan(recipe.batch_size)
        if plan is None:
            plan = settle.plan_for(network, batches, recipe, objective, asked.options)
            self.begun.keep_plan(recipe.batch_size, plan)
        return Begun(network, what, batches, objective, plan)


def rehearsal_of(begun: Search, data: str | Path | Dataset, progress: Progress) -> Rehearsal:
    """Open, split, leave out what tests, decode; settle what is searched, and say it."""
    request = begun.wanted.request
    options, settings = replace(request.options, minutes=None), dict(request.settings)
    cache = Cache.default(progress.say) if options.cache else None
    table = prepare.open_table(data, options.fold, options.exclude, progress)
    if not len(table.parts.rows("val")):
        raise DataError(
            f"{table.dataset.location}: the val split is empty, so nothing tells which settings are better; "
            "add pictures, or a val split of your own"
        )
    look = survey(table.dataset, table.parts.rows("train"), cache)

    from sightline.training import writer

    network, what, _ = train.network_for(settings, look, table, options, progress)
    space = space_of(what.recipe, table.dataset.task, begun.wanted.fields, settings)
    progress.say(f"Searched: {space.sentence()}")
    writer.check_space(begun.path, network, len(table.dataset))
    read = prepare.without_test(table)
    read = prepare.decode(read, what.preprocessing, options.skip_bad, options.num_workers, progress, cache)
    writer.keep_split(begun.path, read.dataset, read.parts, read.records)
    table = prepare.numbered_as(table, read)
    selection = prepare.selection_of(table, what.preprocessing)
    return Rehearsal(begun, look, table, space, what, selection, options, cache)
