"""Which method tells the truth about a run: every method on some of its pictures, by every measure, beside maps that
know nothing. Comes in: a run's folder; goes out: a Comparison.

The best is the fastest of those that these pictures cannot tell from the most faithful. Must not know the terminal.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.data.preprocess import Pixels
from sightline.data.warp import Floats
from sightline.errors import ConfigError, DataError
from sightline.evaluation.drawing import drawn
from sightline.evaluation.evaluate import Evaluation, evaluate
from sightline.evaluation.progress import Track, untracked
from sightline.evaluation.runs import Part, checked, part_of
from sightline.explainers import METHODS, Question
from sightline.explaining.comparison import GAP, Comparison, Row
from sightline.explaining.explainer import Explainer, torch_engine
from sightline.explaining.explanation import Explanation
from sightline.explaining.faithfulness import MEASURES, Asked
from sightline.explaining.faithfulness._controls import CONTROLS
from sightline.explaining.faithfulness.randomisation import MOST
from sightline.explaining.notes import notes_of
from sightline.explaining.picture import of_row
from sightline.metrics import Figure, of_means
from sightline.metrics._interval import of_mean
from sightline.predictor import Predictor
from sightline.run import Run

NUM_PICTURES, MIN_PICTURES = 30, 10


def compare(
    path: str | Path,
    data: str | Path | None = None,
    split: str | None = None,
    methods: Sequence[str] | None = None,
    num: int = NUM_PICTURES,
    seed: int = 0,
    skip_bad: bool = False,
    i_know: bool = False,
    progress: Track = untracked,
) -> Comparison:
    """Measure `methods` (None: all that go with the network) on `num` of a run's test pictures, or of others.

    What is explained is what the run answers, right or wrong. Raises ConfigError for a method that does not exist or
    does not go with the network; DataError and BadPicturesError as `evaluate_run` does.
    """
    began, run = time.perf_counter(), Run.open(Path(path))
    if num < MIN_PICTURES or seed < 0:
        raise ConfigError(f"explain: --num {num}, --seed {seed}; {MIN_PICTURES} pictures and 0 are the least")
    part, predictor = part_of(run, data, split), Predictor.open(path)
    rows = part.rows[drawn(part.dataset.labels[part.rows], num, seed)]
    images = list[Pixels]()
    tested = checked(
        run, part, evaluate(predictor, part.dataset, rows, part.split, skip_bad, see=images.append), i_know
    )
    if len(images) < MIN_PICTURES:
        raise DataError(f"{part.dataset.location}: {len(images)} pictures; {MIN_PICTURES} are needed at least")
    pixels = np.stack(images).astype(np.float32)
    names, left_out = _allowed(predictor, methods)
    question = asked_of(tested)
    notes = notes_of(tested, len(part.rows), seed)
    objects = _objects(part, tested, question, predictor)
    explainer = Explainer.open(predictor, names[0], seed=seed)
    found = tuple(measured(explainer, pixels, question, names, tested.groups, progress, objects=objects))
    row = int(tested.rows[0])
    example = part.dataset.paths[row], of_row(predictor, part.dataset.images, row)
    examples = (next(replace(explainer, method=name).of([example])) for name in names)
    return Comparison(
        str(path), tested.split, len(images), seed, found, left_out,
        tuple(one for one in examples if isinstance(one, Explanation)), notes, time.perf_counter() - began,
    )  # fmt: skip


def asked_of(tested: Evaluation) -> Question:
    """Why what was answered was answered."""
    targets = tested.outputs.argmax(axis=1) if tested.task != "number" else np.zeros(len(tested.rows), np.intp)
    return Question(tested.task, np.asarray(targets, np.intp))


def measured(
    explainer: Explainer,
    pixels: Floats,
    question: Question,
    methods: Sequence[str],
    groups: NDArray[np.intp] | None,
    progress: Track = untracked,
    measures: Sequence[str] | None = None,
    objects: NDArray[np.bool_] | None = None,
) -> list[Row]:
    """A row for each control and each method, on preprocessed pictures (N, height, width, C) 0..255.

    `explainer`: whose predictor, and what it knows of engines, all methods share. `measures`: insertion and deletion at
    least; None: all. `objects`: (N, height, width), where what is asked about is.
    """
    measures, seed = measures or MEASURES.names(), explainer.seed
    forgotten = _forgotten(explainer, pixels) if "randomisation" in measures else None
    subject = explainer.subject(pixels, question)
    num, height, width, _ = pixels.shape
    found = dict[str, dict[str, NDArray[np.float64]]]()
    took = dict[str, float]()
    for name in progress([*CONTROLS, *methods], len(CONTROLS) + len(methods), "methods"):
        began = time.perf_counter()
        again: Callable[[Floats], Floats]
        if name in CONTROLS:
            again = _always(CONTROLS[name](num, height, width, seed))
            randomised: Callable[[Floats], Floats] | None = again
        else:
            again = partial(replace(explainer, method=name).maps, question=question)
            randomised = None
            if forgotten is not None:
                randomised = partial(replace(forgotten, method=name).maps, question=question)
        maps = again(pixels)
        took[name] = (time.perf_counter() - began) / len(pixels)
        asked = Asked(subject, maps, again, None if randomised is None else partial(randomised, pixels), objects, seed)
        values = {measure: MEASURES.get(measure).measure(asked) for measure in measures}
        found[name] = {measure: each for measure, each in values.items() if each is not None}
        found[name][GAP] = found[name]["insertion"] - found[name]["deletion"]
    return [_row(name, found, took[name], groups) for name in found]


def _row(
    name: str, found: dict[str, dict[str, NDArray[np.float64]]], took_s: float, groups: NDArray[np.intp] | None
) -> Row:
    own = found[name]
    most = max((each for each in found if each not in CONTROLS), key=lambda each: found[each][GAP].mean())
    return Row(
        name,
        name in CONTROLS,
        {measure: _figure(values, groups) for measure, values in own.items()},
        {control: of_means(found[control][GAP], own[GAP], groups) for control in CONTROLS if control != name},
        None if name == most else of_means(own[GAP], found[most][GAP], groups),
        took_s,
        None if "randomisation" not in own or name in CONTROLS else bool(own["randomisation"].mean() < MOST),
    )


def _figure(values: NDArray[np.float64], groups: NDArray[np.intp] | None) -> Figure:
    """The mean over the pictures of which something is said."""
    known = np.isfinite(values)
    return Figure(float(values[known].mean()), of_mean(values[known], None if groups is None else groups[known]))


def _objects(part: Part, tested: Evaluation, question: Question, predictor: Predictor) -> NDArray[np.bool_] | None:
    """(N, height, width): whether a pixel lies in a box of what is asked about; None where there are no boxes."""
    boxes, frame = part.dataset.boxes, predictor.preprocessing
    if boxes is None:
        return None
    found = np.zeros((len(tested.rows), frame.height, frame.width), bool)
    for inside, row, target in zip(found, tested.rows.tolist(), question.targets.tolist(), strict=True):
        window = frame.window(*part.dataset.images.size(row))
        down, right = frame.height / window.height, frame.width / window.width
        for top, left, bottom, end in boxes.of(row, target).tolist():
            rows = [round((side - window.top) * down) for side in (top, bottom)]
            columns = [round((side - window.left) * right) for side in (left, end)]
            inside[max(rows[0], 0) : max(rows[1], 0), max(columns[0], 0) : max(columns[1], 0)] = True
    return found


def _allowed(predictor: Predictor, methods: Sequence[str] | None) -> tuple[list[str], dict[str, str]]:
    """The methods to compare, and those that do not go with the network, with the reason."""
    left_out, names = dict[str, str](), list[str]()
    for name in methods or METHODS.names():
        try:
            Explainer.open(predictor, name)
            names.append(name)
        except ConfigError as error:
            if methods:
                raise
            left_out[name] = str(error)
    return names, left_out


def _forgotten(explainer: Explainer, pixels: Floats) -> Explainer | None:
    """Of a network that has forgotten what its upper half learned; None where it gives answers alone."""
    predictor, seed = explainer.predictor, explainer.seed
    engine = torch_engine(predictor)
    if engine is None:
        return None
    from sightline.engines.forgetting import upper_half_forgotten

    other = replace(predictor, engine=upper_half_forgotten(engine, pixels, seed))
    return Explainer.open(other, explainer.method, seed=seed)


def _always(maps: Floats) -> Callable[[Floats], Floats]:
    return lambda pixels: maps
