"""A run, from inside: what its stages see, tell and look for. Comes in: a run's folder; goes out: an Inside.

Some of its own training and test pictures are gone through once. Must not know pages.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.data.medical.greys import for_display
from sightline.data.preprocess import Pixels
from sightline.data.warp import Floats
from sightline.engines.inside import first_filters, stage_maps, unit_gradients
from sightline.engines.torch import TorchEngine
from sightline.errors import ConfigError
from sightline.evaluation.progress import Track, untracked
from sightline.explaining.explainer import torch_engine
from sightline.explaining.inside import channels, field, filters, plane, probe
from sightline.explaining.picture import some_of
from sightline.metrics import Rate, rate
from sightline.predictor import Predictor
from sightline.run import Run

NUM_TRAINED, NUM_TESTED = 800, 400  # pictures, by which stages are probed
NUM_CHANNELS, NUM_CROPS, NUM_MAPS = 6, 5, 8  # of a stage; of a channel; of the picture whose maps are shown
NUM_FOR_FIELD = 4  # pictures, and as many channels of each
CROP = 1 / 3  # of the shorter side at most: what a channel of a late stage sees is the whole picture


@dataclass(frozen=True)
class Channel:
    """crops: where real pictures excite it most; made: a picture made to excite it, None where that failed."""

    number: int
    crops: tuple[NDArray[np.uint8], ...]
    made: NDArray[np.uint8] | None


@dataclass(frozen=True)
class Stage:
    """
    grid       height and width of its maps
    field      how much of the picture a unit in the middle sees
    accuracy   of a linear layer on the means and deviations of its channels
    channels   those that tell classes apart best
    maps       of one picture, those of the channels that answer it most, (H', W') in 0..1
    """

    name: str
    num_channels: int
    grid: tuple[int, int]
    field: field.Field
    accuracy: Rate
    channels: tuple[Channel, ...]
    maps: tuple[Floats, ...]


@dataclass(frozen=True)
class Inside:
    """
    filters    of the first layer, by its name; None where it reads no pixels
    example    the picture whose maps are shown, and its path
    places     of the tested pictures on a plane, (N, 2) in 0..1, made `by`; with `thumbs` and `labels`
    accuracy   of the run itself on the tested pictures
    """

    run: str
    architecture: str
    frame: tuple[int, int]
    classes: tuple[str, ...]
    num_trained: int
    stages: tuple[Stage, ...]
    filters: tuple[str, tuple[NDArray[np.uint8], ...]] | None
    example: NDArray[np.uint8]
    example_path: str
    places: NDArray[np.float64]
    by: str
    thumbs: tuple[NDArray[np.uint8], ...]
    labels: NDArray[np.intp]
    accuracy: Rate
    duration_s: float

    def to_json(self) -> dict[str, Any]:
        """What is no picture, as plain values."""
        return {
            "run": self.run, "architecture": self.architecture, "frame": list(self.frame),
            "accuracy": asdict(self.accuracy), "num_trained": self.num_trained, "num_tested": len(self.labels),
            "stages": [
                {
                    "name": one.name, "channels": one.num_channels, "grid": list(one.grid), "field": asdict(one.field),
                    "accuracy": asdict(one.accuracy), "telling_channels": [each.number for each in one.channels],
                }
                for one in self.stages
            ],
        }  # fmt: skip


@dataclass(frozen=True)
class _Seen:
    """Of some pictures, of one stage: means and deviations of its channels (N, 2 D), their largest values (N, D) and
    where these are, numbered row after row; the maps of the first picture (D, H', W').
    """

    statistics: Floats
    peaks: Floats
    where: NDArray[np.intp]
    first: Floats


def look(path: str | Path, seed: int = 0, progress: Track = untracked) -> Inside:
    """Of a run of one class a picture, on its own pictures.

    Raises ConfigError for other runs, DataError where its pictures are gone.
    """
    began, run = time.perf_counter(), Run.open(Path(path))
    if run.config.task != "single":
        raise ConfigError(f"inside: {path} does not answer one class a picture")
    predictor = Predictor.open(path)
    engine = torch_engine(predictor)
    assert engine is not None  # a run's is
    stages = engine.network.readable_stages()
    if not stages:
        raise ConfigError(f"inside: no stage of {run.config.architecture} gives a map of the picture")
    dataset, train_rows, frames = some_of(run, predictor, "train", NUM_TRAINED, seed)
    trained, train_labels = list(frames), dataset.labels[train_rows].astype(np.intp)
    dataset, rows, frames = some_of(run, predictor, "test", NUM_TESTED, seed)
    tested, labels = list(frames), dataset.labels[rows].astype(np.intp)
    known = _seen(engine, trained, list(stages), partial(progress, what="training pictures"))
    asked = _seen(engine, tested, list(stages), partial(progress, what="test pictures"))
    answers = predictor.answers(iter(tested))
    right = predictor.decision.decided(predictor.decision.outputs(answers.logits)) == labels
    places, by = plane.placed(answers.features if answers.features.shape[1] else answers.logits, seed)
    num, groups = len(predictor.classes), dataset.group_numbers(rows)
    views = [
        _stage(engine, name, known[name], asked[name], tested, (train_labels, labels, num), groups, seed)
        for name in progress(list(stages), len(stages), "stages")
    ]
    first = first_filters(engine)
    frame = predictor.preprocessing
    return Inside(
        str(path), run.config.architecture, (frame.height, frame.width), predictor.classes, len(trained), tuple(views),
        None if first is None else (first[0], tuple(filters.drawn(first[1]))),
        for_display(tested[0]), dataset.paths[int(rows[0])], places, by, tuple(for_display(one) for one in tested),
        labels, rate(right, groups), time.perf_counter() - began,
    )  # fmt: skip


def _seen(engine: TorchEngine, pictures: Sequence[Pixels], stages: Sequence[str], progress: Any) -> Mapping[str, _Seen]:
    """What stages make of pictures, in short: whole maps of all would not fit into memory."""
    parts = dict[str, list[_Seen]]()
    starts = range(0, len(pictures), engine.batch_size)
    for start in progress(starts, len(starts)):
        batch = np.stack(pictures[start : start + engine.batch_size]).astype(np.float32)
        for name, maps in stage_maps(engine, batch, stages).items():
            flat = maps.reshape(*maps.shape[:2], -1)
            statistics = np.concatenate([flat.mean(axis=2), flat.std(axis=2)], axis=1)
            parts.setdefault(name, []).append(_Seen(statistics, flat.max(axis=2), flat.argmax(axis=2), maps[0]))
    return {
        name: replace(
            some[0],
            statistics=np.concatenate([one.statistics for one in some]),
            peaks=np.concatenate([one.peaks for one in some]),
            where=np.concatenate([one.where for one in some]),
        )
        for name, some in parts.items()
    }


def _stage(
    engine: TorchEngine, name: str, known: _Seen, asked: _Seen, pictures: Sequence[Pixels],
    labels: tuple[NDArray[np.intp], NDArray[np.intp], int], groups: NDArray[np.intp] | None, seed: int,
) -> Stage:  # fmt: skip
    train_labels, test_labels, num_classes = labels
    found = probe.answers(known.statistics, train_labels, asked.statistics, num_classes)
    grid = asked.first.shape[1], asked.first.shape[2]
    telling = channels.tell_apart(asked.peaks, test_labels, NUM_CHANNELS)
    seen = _field(engine, name, pictures, asked)
    strongest = np.argsort(-asked.first.max(axis=(1, 2)), kind="stable")[:NUM_MAPS]
    return Stage(
        name, len(asked.first), grid, seen, rate(found == test_labels, groups),
        tuple(_channels(engine, name, asked, pictures, telling, grid, seen, seed)),
        tuple(_scaled(asked.first[channel]) for channel in strongest),
    )  # fmt: skip


def _channels(
    engine: TorchEngine, name: str, asked: _Seen, pictures: Sequence[Pixels], telling: list[int], grid: tuple[int, int],
    seen: field.Field, seed: int,
) -> list[Channel]:  # fmt: skip
    frame = engine.config.preprocessing

    def gradient(images: Floats, numbers: NDArray[np.intp]) -> tuple[Floats, Floats]:
        return unit_gradients(engine, images, name, numbers, centre=False)

    made, does = channels.made(gradient, np.array(telling, np.intp), frame.blank(), (frame.height, frame.width), seed)
    side = max(3, min(max(seen.counts), round(CROP * min(frame.height, frame.width))))
    found = []
    for number, image, is_made in zip(telling, made, does.tolist(), strict=True):
        crops = tuple(
            channels.cropped(for_display(pictures[i]), *divmod(int(asked.where[i, number]), grid[1]), grid, side)
            for i in channels.exciting(asked.peaks, number, NUM_CROPS)
        )
        found.append(Channel(number, crops, for_display(image) if is_made else None))
    return found


def _field(engine: TorchEngine, name: str, pictures: Sequence[Pixels], asked: _Seen) -> field.Field:
    """By the channels that answer most, of some pictures."""
    often = np.argsort(-asked.peaks.mean(axis=0), kind="stable")[:NUM_FOR_FIELD]
    some = np.stack(pictures[:NUM_FOR_FIELD]).astype(np.float32)
    images, numbers = some.repeat(len(often), axis=0), np.tile(often, len(some))
    size = engine.batch_size
    slopes = [
        unit_gradients(engine, images[i : i + size], name, numbers[i : i + size], centre=True)[1]
        for i in range(0, len(images), size)
    ]
    return field.of_units(np.concatenate(slopes))


def _scaled(values: Floats) -> Floats:
    """To 0..1."""
    return np.asarray((values - values.min()) / max(float(np.ptp(values)), 1e-12), np.float32)
