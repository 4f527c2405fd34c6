"""The main job: a network trained on parts of the pictures, as `train` would train it on all. It reads downward.

Comes in: where the pictures are, and what to change of the defaults; goes out: a Curve. No run is left. Must not know
the terminal.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any  # Any: recipe fields of several types

import numpy as np
from numpy.typing import NDArray

from sightline.data.dataset import Dataset
from sightline.data.nested import nested
from sightline.data.split import Split
from sightline.errors import ConfigError, DataError
from sightline.growth.figures import Curve, Point
from sightline.growth.forecast import MIN_POINTS, forecast
from sightline.metrics import Sample, redrawn
from sightline.training import prepare
from sightline.training.options import Options
from sightline.training.progress import Progress, Silent
from sightline.training.repeatable import threads_restored
from sightline.training.untrained import Untrained, untrained

if TYPE_CHECKING:
    from sightline.training.prepare import Table

SHARES = (1 / 8, 1 / 4, 1 / 2, 1.0)  # doublings: a law of powers is told by ratios
MIN_A_CLASS = 8  # pictures on average in the smallest part: of fewer, what is learned is chance
Rows = NDArray[np.intp]


@threads_restored()
def learning_curve(
    data: str | Path | Dataset,
    settings: Mapping[str, Any] | None = None,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Curve:
    """What an eighth, a quarter, a half and all of the training pictures give on the test, and how that would go on.

    `settings` as of `train`; recipe and plan are settled once, for all pictures. Raises ConfigError where a budget of
    minutes or several processes are asked for, DataError for too few pictures, and what `train` raises.
    """
    started, progress, options = time.perf_counter(), progress or Silent(), options or Options()
    settings = dict(settings or {})
    if options.minutes is not None:
        raise ConfigError("minutes: parts of the pictures cannot share a budget of time; give epochs instead")
    if options.num_processes > 1:
        raise ConfigError(f"nproc = {options.num_processes}: a learning curve is made in one process")
    begun = untrained(data, settings, options, progress, lambda recipe: None)
    if is_head := _is_head(begun, options):
        begun = begun._replace(table=prepare.with_selection_in_train(begun.table))
    table = begun.table
    rows, test = table.parts.rows("train"), table.parts.rows("test")
    shares, left_out = shares_for(len(rows), table)
    parts = nested(table.dataset, rows, shares)

    from sightline.growth import heads, trainings

    samples = (heads if is_head else trainings).samples(begun, settings, options, parts, progress)
    points = tuple(_points(table, shares, parts, samples, progress))
    nums = np.array([point.num for point in points], np.float64)
    drawn = np.stack([1 - point.measured.drawn for point in points], axis=1).clip(0)
    errors = np.array([1 - point.value for point in points]).clip(0)
    groups = table.dataset.group_numbers(test)
    num_units = len(test) if groups is None else len(np.unique(groups))
    found = forecast(nums, errors, drawn, num_units)
    notes = (*table.notes, *left_out)
    name, duration_s = prepare.name_of(data), time.perf_counter() - started
    return Curve(name, table.dataset.task, points, found, len(test), begun.what.sentence(), notes, duration_s)


def shares_for(num_train: int, table: Table) -> tuple[tuple[float, ...], list[str]]:
    """The parts that have pictures enough, and notes on those that have not. Raises DataError where these are few."""
    least = MIN_A_CLASS * max(2, len(table.dataset.classes))
    shares = tuple(share for share in SHARES if share * num_train >= least)
    if len(shares) < MIN_POINTS:
        needed = round(least / SHARES[-MIN_POINTS])
        raise DataError(
            f"{table.dataset.location}: {num_train:,} pictures train, and a learning curve needs {needed:,}: "
            f"{least:,} in a quarter of them, {MIN_A_CLASS} of each class on average"
        )
    left_out = [share for share in SHARES if share not in shares]
    notes = [
        f"1/{round(1 / share)} of the training pictures is {round(share * num_train):,}, fewer than {MIN_A_CLASS} of "
        "each class on average, and was left out."
        for share in left_out
    ]
    return shares, notes


def _is_head(begun: Untrained, options: Options) -> bool:
    """Whether only a head is fitted, so that features computed once do for all; not where answers average views."""
    from sightline.training import settle

    recipe = begun.what.recipe
    return not options.makes_steps(recipe.epochs) and not settle.tta_of(recipe, recipe.augment)


def _points(
    table: Table, shares: tuple[float, ...], parts: list[Rows], samples: Iterator[Sample], progress: Progress
) -> Iterator[Point]:
    task, location = table.dataset.task, table.dataset.location
    for share, part, sample in zip(shares, parts, samples, strict=True):
        measured = redrawn(sample, task)
        if measured.figure.value is None:
            raise DataError(f"{location}: the test pictures do not suffice to measure anything; add some")
        point = Point(share, len(part), measured)
        figure = f"R2 {point.value:.3f}" if task == "number" else f"{100 * point.value:.2f} %"
        progress.say(f"{Fraction(share)}: {point.num:,} pictures train, {figure}")
        yield point


def part_of(table: Table, rows: Rows) -> Table:
    """The table in which only these rows train; all others stay what they are, or are of no part."""
    names = table.parts.names.copy()
    names[names == "train"] = "rest"
    names[rows] = "train"
    return replace(table, parts=Split(names, table.parts.rule))
