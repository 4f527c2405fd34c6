"""The measurement: pictures drawn, answered as they are, corrupted, moved and attacked. Comes in: a run's folder; goes
out: Robustness.

A picture is decoded once, and the predictor's own loop answers. Must not know how any of it is shown.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.data.corruptions import CORRUPTIONS, MIN_SIDE
from sightline.data.preprocess import Pixels
from sightline.data.reading.scan import in_threads
from sightline.data.tasks import Labels
from sightline.errors import ConfigError, DataError
from sightline.evaluation.drawing import drawn
from sightline.evaluation.evaluate import Evaluation, evaluate
from sightline.evaluation.progress import Track, untracked
from sightline.evaluation.runs import checked, part_of
from sightline.metrics import Figure, of_means, of_rates, rate
from sightline.metrics._interval import of_mean
from sightline.predictor import Predictor
from sightline.robustness.attacked import attacked, drawn_for
from sightline.robustness.figures import Corrupted, Example, Moved, Point, Robustness
from sightline.robustness.variants import Variant, corruptions, moves
from sightline.run import Run

NUM_PICTURES, NUM_ATTACKED = 500, 200
MIN_PICTURES = 10  # of fewer, one more or less that is right is a tenth
FIGURES = {"single": "accuracy", "multi": "exact match"}

Hits = NDArray[np.bool_]


@dataclass(frozen=True)
class Pictures:
    """What was answered as it is, and is to be answered otherwise: `images` in the order of `tested`."""

    predictor: Predictor
    images: Sequence[Pixels]
    tested: Evaluation

    def decided(self, way: Sequence[Variant], progress: Track) -> list[Labels]:
        """What is answered to all pictures at each level, an array (N,) or (N, K) each."""
        num = len(self.images)
        rows = self.tested.rows.tolist()

        def changed(job: tuple[Variant, int]) -> Pixels:
            variant, place = job
            return variant.change(self.images[place], rows[place])

        made: Iterator[Pixels] = in_threads(changed, product(way, range(num)))
        logits = self.predictor.logits(progress(made, len(way) * num, way[0].kind.replace("_", " ")))
        decided = self.predictor.decision.decided(self.predictor.decision.outputs(logits))
        return [decided[start : start + num] for start in range(0, len(decided), num)]

    def right(self, decided: Labels) -> Hits:
        return equal(decided, self.tested.labels)

    def stays(self, decided: Labels) -> Hits:
        return equal(decided, self.tested.decided)


def equal(first: Labels, second: Labels) -> Hits:
    """Of each picture whether all is the same, (N,) or (N, K) -> (N,)."""
    return np.asarray((first == second).reshape(len(first), -1).all(axis=1))


def measure(
    path: str | Path,
    data: str | Path | None = None,
    split: str | None = None,
    num: int = NUM_PICTURES,
    num_attacked: int = NUM_ATTACKED,
    seed: int = 0,
    skip_bad: bool = False,
    i_know: bool = False,
    progress: Track = untracked,
) -> Robustness:
    """How a run stands up, on `num` of its own test pictures (or of others, as in `evaluate_run`).

    `num_attacked` of these are attacked, none if 0. Raises ConfigError for numbers that make no sense and for runs that
    answer numbers or take pictures smaller than MIN_SIDE; DataError and BadPicturesError as `evaluate_run` does.
    """
    started, run = time.perf_counter(), Run.open(Path(path))
    _check(run, num, num_attacked, seed)
    part, frame = part_of(run, data, split), run.config.preprocessing
    rows = part.rows[drawn(part.dataset.labels[part.rows], num, seed)]
    images = list[Pixels]()
    predictor = Predictor.open(path)
    tested = evaluate(predictor, part.dataset, rows, part.split, skip_bad, see=images.append)
    pictures = Pictures(predictor, images, checked(run, part, tested, i_know))
    if len(images) < MIN_PICTURES:
        raise DataError(f"{part.dataset.location}: {len(images)} pictures; {MIN_PICTURES} are needed at least")

    clean = pictures.right(tested.decided)
    answers = {way[0].kind: pictures.decided(way, progress) for way in corruptions(seed)}
    hits = {name: [pictures.right(one) for one in found] for name, found in answers.items()}
    each = np.stack([one for found in hits.values() for one in found]).mean(axis=0)  # (levels, N) -> (N,)
    moved = tuple(_moved(pictures, way, progress) for way in moves(frame.height, frame.width, seed))
    chosen = drawn_for(tested, num_attacked, seed)
    attacks = attacked(predictor, images, tested, chosen, seed, progress)
    return Robustness(
        run=str(path),
        split=part.split,
        figure=FIGURES[run.config.task],
        num=len(images),
        num_in_split=len(part.rows),
        seed=seed,
        clean=rate(clean, tested.groups),
        mean_error=Figure(1 - float(each.mean()), of_mean(1 - each, tested.groups, 0.0, 1.0)),
        mean_drop=of_means(clean.astype(np.float64), each, tested.groups),
        corruptions=tuple(_corrupted(name, found, clean, tested) for name, found in hits.items()),
        moves=moved,
        attacks=attacks,
        num_bad=len(tested.bad),
        num_trained_on=pictures.tested.num_trained_on,
        example=_example(pictures, part.dataset.paths, run.config.classes, answers),
        duration_s=time.perf_counter() - started,
    )


def _check(run: Run, num: int, num_attacked: int, seed: int) -> None:
    config = run.config
    if config.task not in FIGURES:
        raise ConfigError(f"robustness: {run.path} answers numbers; only runs that answer classes can be measured")
    if num < MIN_PICTURES:
        raise ConfigError(f"robustness: --num {num}; {MIN_PICTURES} pictures are needed at least")
    if num_attacked < 0 or seed < 0:
        raise ConfigError(f"robustness: --attacked {num_attacked}, --seed {seed}; neither may be below 0")
    frame = config.preprocessing
    if min(frame.height, frame.width) < MIN_SIDE:
        raise ConfigError(
            f"robustness: {run.path} sees pictures of {frame.height} x {frame.width} pixels; corruptions need "
            f"{MIN_SIDE} a side at least, so train it with a larger --size"
        )


def _corrupted(name: str, hits: Sequence[Hits], clean: Hits, tested: Evaluation) -> Corrupted:
    differences = tuple(of_rates(clean, one, tested.groups) for one in hits)
    return Corrupted(name, CORRUPTIONS.get(name).FAMILY, tuple(rate(one, tested.groups) for one in hits), differences)


def _moved(pictures: Pictures, way: Sequence[Variant], progress: Track) -> Moved:
    found = zip(way, pictures.decided(way, progress), strict=True)
    points, groups = list[Point](), pictures.tested.groups
    for one, decided in found:
        points.append(Point(one.level, rate(pictures.stays(decided), groups), rate(pictures.right(decided), groups)))
    return Moved(way[0].kind, tuple(points))


def _example(
    pictures: Pictures, paths: Sequence[str], classes: tuple[str, ...], answers: dict[str, list[Labels]]
) -> Example:
    """The first picture that is answered rightly, or the first of all, and what becomes of its answers."""
    tested = pictures.tested
    place = int(pictures.right(tested.decided).argmax())

    def named(values: Labels) -> str:
        if values.ndim == 1:
            return classes[int(values[place])]
        return ", ".join(name for name, yes in zip(classes, values[place], strict=True) if yes) or "none"

    found = {
        name: tuple((named(one), bool(pictures.right(one)[place])) for one in levels)
        for name, levels in answers.items()
    }
    row = int(tested.rows[place])
    return Example(paths[row], named(tested.labels), named(tested.decided), row, pictures.images[place], found)
