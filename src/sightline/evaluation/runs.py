"""A run, measured on its own pictures or on others. Comes in: its folder, and where the pictures lie; goes out: an
Evaluation.

Refused are pictures that changed since the training, and those that trained the run. Must not know the report's looks.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.data import names_shards, open_dataset
from sightline.data.dataset import Dataset
from sightline.data.tasks import TASKS
from sightline.errors import DataError, nearest
from sightline.evaluation.ancestors import known_to
from sightline.evaluation.asking import asked_of
from sightline.evaluation.evaluate import Evaluation, evaluate
from sightline.metrics import Asked
from sightline.predictor import Predictor
from sightline.run import Run


def evaluate_run(
    path: str | Path,
    data: str | Path | None = None,
    split: str | None = None,
    skip_bad: bool = False,
    i_know: bool = False,
    asked: Asked | None = None,
    look: bool = False,
    check: Callable[[Dataset], object] = lambda dataset: None,
) -> tuple[Evaluation, tuple[str, ...]]:
    """Measure a run on its own split (the test, by default) or on other labelled pictures; with its classes.

    `asked`: as `asked_of` has it; None: what a training's own test is asked. `look` as `evaluate` has it. `check` is
    given the data set before a picture is read, to raise what ends it early.
    Raises DataError if its own pictures have changed since; or, unless `i_know`, if one of the others trained it.
    """
    run = Run.open(Path(path))
    part = part_of(run, data, split)
    check(part.dataset)
    predictor, asked = Predictor.open(path), asked or asked_of(run)
    tested = evaluate(predictor, part.dataset, part.rows, part.split, skip_bad, asked=asked, look=look)
    return checked(run, part, tested, i_know), run.config.classes


@dataclass(frozen=True)
class Part:
    """What a run is to be measured on: `rows` (n,) of a data set in the run's order of classes.

    expected   of the run's own pictures: row -> the hash that its pixels must have; None for others
    """

    dataset: Dataset
    rows: NDArray[np.intp]
    split: str
    expected: Mapping[int, str] | None


def part_of(run: Run, data: str | Path | None, split: str | None) -> Part:
    """A run's own split (the test, by default), or other labelled pictures. Raises DataError where there are none."""
    own = data is None or run.config.data in (str(data), str(Path(data).expanduser().resolve()))
    if data is None or own:  # its own pictures: those that trained must not count
        return _own_rows(run, split or "test")
    dataset = aligned(open_dataset(data), run.config.classes, run.config.task)
    return Part(dataset, *_foreign_rows(dataset, split), None)


def checked(run: Run, part: Part, tested: Evaluation, i_know: bool = False) -> Evaluation:
    """What was measured, with how many of the pictures trained the run, and how many selected or calibrated.

    Raises DataError if its own pictures have changed since; or, unless `i_know`, if one of the others trained it.
    """
    paths, hashed = part.dataset.paths, list(zip(tested.rows.tolist(), tested.hashes, strict=True))
    if part.expected is not None:
        changed = [paths[row] for row, pixels in hashed if pixels != part.expected[row]]
        if changed:
            raise DataError(
                f"{len(changed)} pictures are not those of the training any more, such as {changed[0]}; "
                "restore them, or name the pictures to evaluate on"
            )
    of_split = dict[str, set[str]]()
    for line in run.split():
        of_split.setdefault(line["split"], set()).add(line["pixels"])
    calibrated = of_split.get("val", set()) | of_split.get("calibration", set())
    tested = dataclasses.replace(tested, num_calibrated=sum(pixels in calibrated for _, pixels in hashed))
    if part.expected is not None:
        return tested
    known = known_to([run])
    seen = [(paths[row], known[pixels]) for row, pixels in hashed if pixels in known]
    if seen and not i_know:
        path, by = seen[0]
        which = "this run" if by is run else f"{by.path}, from which this run came"
        raise DataError(
            f"{len(seen)} of {len(tested.rows)} pictures trained {which}, such as {path}, so the figures would "
            "flatter; name others, or measure on these all the same with --i-know"
        )
    return dataclasses.replace(tested, num_trained_on=len(seen))


def _own_rows(run: Run, split: str) -> Part:
    """The run's data set, the rows of one of its splits, and the pixel hash that each must have."""
    if not run.config.data:
        raise DataError(f"{run.path} was trained on arrays in memory; name the pictures to evaluate on")
    is_path = Path(run.config.data).is_absolute() and not names_shards(run.config.data)
    if is_path and not Path(run.config.data).exists():
        raise DataError(
            f"{run.path} was trained on {run.config.data}, which is not there; name the pictures to evaluate on"
        )
    dataset = aligned(open_dataset(run.config.data), run.config.classes, run.config.task)
    row_of = {path: row for row, path in enumerate(dataset.paths)}
    lines = [line for line in run.split() if line["split"] == split]
    missing = [line["path"] for line in lines if line["path"] not in row_of]
    if missing:
        raise DataError(
            f"{dataset.location}: {len(missing)} pictures of the {split} split are gone, such as {missing[0]}; "
            "restore them, or name the pictures to evaluate on"
        )
    if not lines:
        raise DataError(f"{run.path}: its {split} split is empty")
    expected = {row_of[line["path"]]: line["pixels"] for line in lines}
    return Part(dataset, np.array(sorted(expected), np.intp), split, expected)


def _foreign_rows(dataset: Dataset, split: str | None) -> tuple[NDArray[np.intp], str]:
    """All rows, or those of one split that the data set itself gives; its test where none is asked for."""
    if dataset.splits is None:
        if split is not None:
            raise DataError(f"{dataset.location} has no splits; leave --split out to evaluate on all of it")
        return np.arange(len(dataset)), "all"
    given = set(dataset.splits)
    split = split or next(name for name in ("test", "val", "train", "calibration") if name in given)
    if split not in given:
        raise DataError(f"{dataset.location} has no {split} split; it has {', '.join(sorted(given))}")
    return np.flatnonzero(np.array(dataset.splits) == split), split


WHAT = {"single": "one class a picture", "multi": "several classes a picture", "number": "numbers"}


def aligned(dataset: Dataset, classes: tuple[str, ...], task: str = "single") -> Dataset:
    """The data set with its labels in the order of `classes`.

    Raises DataError for a class that is not among them, or for labels of another task than the run's.
    """
    if dataset.task != task:
        raise DataError(
            f"{dataset.location} has {WHAT[dataset.task]}, but the run answers {WHAT[task]}; "
            "give data that are labelled as those of its training were"
        )
    if dataset.classes == classes:
        return dataset
    index = {name: k for k, name in enumerate(classes)}
    unknown = [name for name in dataset.classes if name not in index]
    if unknown:
        raise DataError(f"{dataset.location} has what the run has not learned: {nearest(unknown[0], classes, 'class')}")
    places = np.array([index[name] for name in dataset.classes], np.intp)
    labels = TASKS.get(task).reordered(dataset.labels, places, classes)
    boxes = dataset.boxes
    if boxes is not None:
        boxes = dataclasses.replace(boxes, labels=places[boxes.labels])
    return dataclasses.replace(dataset, labels=labels, classes=classes, boxes=boxes)
