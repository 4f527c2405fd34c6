"""Parts of the pictures that train, each trained on by itself. Comes in: what a training of all begins with; goes out:
the answers to the test after each. One part after the other, so that no two networks are in memory.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any  # recipe fields of several types

import numpy as np

from sightline.evaluation.evaluate import evaluate
from sightline.growth.measure import Rows, part_of
from sightline.metrics import Sample
from sightline.predictor import Predictor
from sightline.training import objectives, prepare, settle, train, unsaved
from sightline.training.begin import begin
from sightline.training.options import Options
from sightline.training.progress import Progress, Silent
from sightline.training.recipe import Recipe
from sightline.training.recipes import MAX_EPOCHS
from sightline.training.unsaved import Begun
from sightline.training.untrained import Untrained


def samples(
    begun: Untrained, settings: Mapping[str, Any], options: Options, parts: list[Rows], progress: Progress
) -> Iterator[Sample]:
    """The answers to the test by a network that only the rows of each part trained."""
    recipe, table = begun.what.recipe, begun.table
    plan = settle.plan_for(begun.network, begun.batches, recipe, begun.objective, options)
    progress.say(f"Plan: {plan.sentence()}")
    selection, test = prepare.selection_of(table, begun.what.preprocessing), table.parts.rows("test")
    read = prepare.reader_of(table, begun.what.preprocessing)
    for rows in parts:
        network, what, _ = train.network_for(dict(settings), begun.look, table, options, Silent())
        own = part_of(table, rows)
        batches = train.batches_of(what, own, options)
        objective = objectives.build(table.dataset.labels[batches.rows], network.num_classes, recipe)
        begin(network, batches, recipe, objective)
        ready = Begun(network, what, batches, objective, plan)
        num_steps = num_steps_of(recipe, len(begun.batches), len(batches))
        engine, outcome = unsaved.trained(
            ready, own, selection, num_steps, begun.cache, lambda epoch: None, _Steps(progress)
        )
        tta = settle.tta_of(recipe, outcome.augmentations)
        engine = replace(engine, config=replace(engine.config, tta=tta, stages=network.read_channels))
        num_names = len(table.dataset.classes)
        decision = objective.decision(np.empty((0, num_names), np.float32), table.dataset.labels[:0])
        predictor = Predictor(engine, what.preprocessing, decision, table.dataset.classes, table.dataset.task)
        yield evaluate(predictor, table.dataset, test, "test", read=read).sample


def num_steps_of(recipe: Recipe, num_batches: int, num_own: int) -> int:
    """How many steps a part of `num_own` batches an epoch is given, where all pictures have `num_batches`.

    As many as all of them, so that only the pictures differ: recipes too show a number of views, however many pictures
    there are. An eighth at the same epochs would be given an eighth of the steps, and what it lacks for want of steps
    would be taken for want of pictures. But no picture is seen more often than recipes let it be.
    """
    most = round(max(recipe.epochs, MAX_EPOCHS) * num_own)
    return min(recipe.num_steps(num_batches), most)


class _Steps(Silent):
    """Shows the steps, and not what is said at the end of every epoch."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def step(self, step: int, total: int, figures: str) -> None:
        self.progress.step(step, total, figures)
