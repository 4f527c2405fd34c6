"""A run's own test, explained: its surest mistakes, and some that it got right; and how far the maps can be believed.

Comes in: a run's folder; goes out: a Gallery. Must not know pages.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.data.medical.greys import for_display
from sightline.data.reading.scan import in_threads, reason_or
from sightline.data.tasks import Labels
from sightline.evaluation.drawing import drawn
from sightline.evaluation.evaluate import Evaluation, evaluate
from sightline.evaluation.progress import Track, untracked
from sightline.evaluation.runs import checked, part_of
from sightline.explaining.alike import Memory
from sightline.explaining.compare import asked_of, measured
from sightline.explaining.comparison import Row
from sightline.explaining.explainer import Explainer
from sightline.explaining.explanation import Explanation
from sightline.explaining.more import More, more
from sightline.explaining.notes import notes_of
from sightline.explaining.picture import Picture, frames_of, of_row
from sightline.explaining.shortcuts import Shortcut, find
from sightline.predictor import Failure
from sightline.run import Run

MOST_ASKED = 2_000  # test pictures: of more, as many are drawn by chance
NUM_SHOWN = 12  # of each kind
NUM_MEASURED = 20  # pictures by which it is measured whether maps are true
NUM_FOR_PIECES = 240  # pictures among which pieces that make an answer are looked for
QUICK = ("deletion", "insertion", "randomisation")


@dataclass(frozen=True)
class Shown:
    """An explanation, and the picture's own label in words; is_right: None where no class was answered."""

    explanation: Explanation
    label: str
    is_right: bool | None


@dataclass(frozen=True)
class Piece:
    """A piece that makes an answer; the picture that it was cut out of, and one with it, (height, width, C) uint8."""

    found: Shortcut
    path: str
    source: NDArray[np.uint8]
    other: NDArray[np.uint8]


@dataclass(frozen=True)
class Gallery:
    """
    mistakes, right   the surest first; of those that are right one a class
    rows              how true the method's maps are, beside maps that know nothing; on `num_measured` pictures
    more              what else is known of the mistakes, and of the right ones; where it was asked for
    typical           of each class, most and least typical training pictures: class, prototypes, criticisms
    memory            whose rows these are
    pieces            of each class the piece that makes it most
    notes             of the pictures, in sentences
    num_wrong         of `num` pictures asked
    """

    run: str
    split: str
    method: str
    mistakes: tuple[Shown, ...]
    right: tuple[Shown, ...]
    rows: tuple[Row, ...]
    more: tuple[More, ...]
    typical: tuple[tuple[str, list[int], list[int]], ...]
    memory: Memory | None
    pieces: tuple[Piece, ...]
    notes: tuple[str, ...]
    num_measured: int
    num_wrong: int
    num: int
    duration_s: float

    def to_json(self) -> dict[str, Any]:
        """All but arrays, as plain values."""
        kinds = {
            name: [
                {**one.explanation.to_json(), "label": one.label, "is_right": one.is_right}
                for one in getattr(self, name)
            ]
            for name in ("mistakes", "right")
        }
        pieces = [{**one.found.to_json(), "suffices": one.found.suffices, "path": one.path} for one in self.pieces]
        document = asdict(replace(self, mistakes=(), right=(), pieces=(), more=(), typical=(), memory=None))
        document |= {**kinds, "pieces": pieces}
        if self.memory is not None:
            paths, memory = self.memory.dataset.paths, self.memory
            document["more"] = [one.to_json(memory) | {"path": one.explanation.path} for one in self.more]
            document["typical"] = {
                name: {"prototypes": [paths[row] for row in first], "criticisms": [paths[row] for row in second]}
                for name, first, second in self.typical
            }
        del document["memory"]
        return document


def gallery(
    path: str | Path,
    data: str | Path | None = None,
    split: str | None = None,
    method: str | None = None,
    target: str | None = None,
    against: str | None = None,
    seed: int = 0,
    skip_bad: bool = False,
    i_know: bool = False,
    more_too: bool = False,
    progress: Track = untracked,
) -> Gallery:
    """Explain a run's test pictures, or others, as `evaluate_run` has them; the rest as `explain` has it.

    `more_too`: also the smallest part of each that changes its answer, and the most alike training pictures.

    Raises what these do.
    """
    began, run = time.perf_counter(), Run.open(Path(path))
    explainer, part = Explainer.open(path, method, target, against, seed), part_of(run, data, split)
    predictor = explainer.predictor
    rows = part.rows[drawn(part.dataset.labels[part.rows], MOST_ASKED, seed)]
    measured_rows = rows[drawn(part.dataset.labels[rows], NUM_MEASURED, seed)]
    tested = checked(run, part, evaluate(predictor, part.dataset, rows, part.split, skip_bad), i_know)
    some = tested.of(np.isin(tested.rows, measured_rows))
    pixels = np.stack(list(frames_of(predictor, part.dataset.images, some.rows.tolist()))).astype(np.float32)
    wrong = wrongness(tested)
    by_method = measured(explainer, pixels, asked_of(some), [explainer.method], some.groups, progress, QUICK)
    places = surest(np.flatnonzero(wrong > 0), wrong), _one_a_class(tested, np.flatnonzero(wrong == 0))
    mistakes, right = (tuple(_explained(explainer, tested, chosen, progress)) for chosen in places)
    notes = notes_of(tested, len(part.rows), seed)
    if left := len(places[0]) + len(places[1]) - len(mistakes) - len(right):
        notes = (*notes, f"{left} are left out, as they are answered {against}: there is no why not.")
    memory = Memory.of(path, predictor, seed, progress) if more_too else None
    return Gallery(
        str(path), tested.split, explainer.method, mistakes, right, tuple(by_method),
        () if memory is None else tuple(more(explainer, memory, one.explanation) for one in (*mistakes, *right)),
        () if memory is None else tuple(_typical(memory)), memory,
        tuple(_pieces(explainer, tested, seed, progress)), notes, len(pixels),
        int((wrong > 0).sum()), len(tested.rows), time.perf_counter() - began,
    )  # fmt: skip


def _typical(memory: Memory) -> Iterator[tuple[str, list[int], list[int]]]:
    """Of the classes, those first that have the most training pictures."""
    labels, counts = np.unique(memory.labels, return_counts=True)
    for label in labels[np.argsort(-counts, kind="stable")][:NUM_SHOWN].tolist():
        yield memory.dataset.classes[label], *memory.typical(label)


def _pieces(explainer: Explainer, tested: Evaluation, seed: int, progress: Track) -> Iterator[Piece]:
    """Those of each class, by some of the tested pictures."""
    dataset = tested.dataset
    assert dataset is not None
    rows = tested.rows[drawn(tested.labels, NUM_FOR_PIECES, seed)].tolist()
    frames = list(frames_of(explainer.predictor, dataset.images, rows))
    pixels = np.stack(frames).astype(np.float32)
    for one in find(explainer, pixels, seed, progress):
        other = pixels[one.into].copy()
        other[one.where] = pixels[one.place][one.where]
        yield Piece(one, dataset.paths[rows[one.place]], for_display(frames[one.place]), for_display(other))


def wrongness(tested: Evaluation) -> NDArray[np.float64]:
    """(N,): 0 where all is right; else how sure of a wrong class, how many classes are wrong, or how far off it is."""
    if tested.task == "single":
        return np.where(tested.decided == tested.labels, 0.0, tested.outputs.max(axis=1))
    apart = np.abs(tested.decided.astype(np.float64) - tested.labels)
    if tested.task == "number":
        apart = apart / np.maximum(tested.labels.std(axis=0), 1e-12)
    return np.asarray(apart.sum(axis=1))


def surest(places: NDArray[np.intp], wrong: NDArray[np.float64]) -> list[int]:
    return list(places[np.argsort(-wrong[places], kind="stable")][:NUM_SHOWN].tolist())


def _one_a_class(tested: Evaluation, places: NDArray[np.intp]) -> list[int]:
    """The surest of each class, those of the first classes; of several classes or numbers just the first."""
    if tested.task != "single":
        return list(places[:NUM_SHOWN].tolist())
    sure = places[np.argsort(-tested.outputs[places].max(axis=1), kind="stable")]
    _, first = np.unique(tested.decided[sure], return_index=True)
    return list(sure[first][:NUM_SHOWN].tolist())


def _explained(explainer: Explainer, tested: Evaluation, places: Sequence[int], progress: Track) -> Iterator[Shown]:
    dataset = tested.dataset
    assert dataset is not None

    def read_row(place: int) -> Picture:
        return of_row(explainer.predictor, dataset.images, int(tested.rows[place]))

    read = reason_or(read_row)
    named: Iterable[tuple[str, Picture | str]] = in_threads(
        lambda place: (dataset.paths[int(tested.rows[place])], read(place)), places
    )
    found = progress(explainer.of(named), len(places), "maps")
    for place, one in zip(places, found, strict=True):
        if isinstance(one, Failure):
            continue  # answered what it is asked against
        label = tested.labels[place]
        is_right = None if tested.task == "number" else bool((tested.decided[place] == label).all())
        yield Shown(one, _in_words(label, tested.task, explainer.predictor.classes), is_right)


def _in_words(label: Labels, task: str, classes: tuple[str, ...]) -> str:
    """One row of labels."""
    if task == "single":
        return classes[int(label)]
    if task == "multi":
        return ", ".join(name for name, yes in zip(classes, label, strict=True) if yes) or "none"
    return ", ".join(f"{value:.4g}" for value in np.atleast_1d(label).tolist())
