"""Pictures of something else, none of a run's classes: how many are called unknown, and how well they are told.

Comes in: a Predictor, an Evaluation of known pictures, where the others lie; goes out: figures. Must not know the
report's looks.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from sightline.data import open_dataset
from sightline.data.formats._common import walked
from sightline.data.preprocess import Pixels
from sightline.data.reading.scan import in_threads, reason_or
from sightline.errors import BadPicturesError, ConfigError, DataError
from sightline.evaluation.evaluate import Evaluation
from sightline.metrics import Figure, Rate, Sample, auroc, rate
from sightline.predictor import Predictor


@dataclass(frozen=True)
class StrangersMeasured:
    """Of `num` pictures in `path`: the share `called` unknown; of pairs of one of them and a known picture the share in
    which it is found the stranger, `auroc`. `bad`: those that could not be read, and why."""

    path: str
    num: int
    called: Rate
    auroc: Figure
    bad: Mapping[str, str]


def predictor_of(run: str | Path) -> Predictor:
    """Raises ConfigError where the run has nothing to tell pictures of something else by."""
    predictor = Predictor.open(run)
    if predictor.unknown is None:
        raise ConfigError(
            f"unknown: {run} has nothing to tell pictures of something else by; its README.md says why, or it was "
            "trained by an earlier version: train again"
        )
    return predictor


def measure(predictor: Predictor, known: Evaluation, path: str, skip_bad: bool = False) -> StrangersMeasured:
    """Of pictures in a folder, of whatever depth, or in anything that `train` reads, whose labels do not count.

    `predictor`, `known`: of `predictor_of`, and its test. Raises DataError where there are none, BadPicturesError with
    all that cannot be read, unless `skip_bad`.
    """
    assert predictor.unknown is not None and known.strangeness is not None
    bad = dict[str, str]()

    def readable() -> Iterator[Pixels]:
        for name, picture in in_threads(lambda named: (named[0], named[1]()), _pictures(predictor, path)):
            if isinstance(picture, str):
                bad[name] = picture
            else:
                yield picture

    answers = predictor.answers(readable())
    if bad and (not skip_bad or not len(answers)):
        raise BadPicturesError(bad, BadPicturesError.SKIP)
    if not len(answers):
        raise DataError(f"{path}: there is no picture in it")
    strange = predictor.unknown.strangeness(answers)
    scores = np.concatenate([known.strangeness, strange])
    labels = np.repeat(np.array([0, 1], np.uint8), (len(known.strangeness), len(strange)))
    called = rate(predictor.unknown.is_unknown(predictor.unknown.familiarity(strange)))
    groups = None
    if known.groups is not None:  # those of other pictures are not known: each stands for itself
        groups = np.append(known.groups, known.groups.max() + 1 + np.arange(len(strange)))
    order = Sample(np.stack([-scores, scores], axis=1), labels.astype(np.int64), labels.astype(np.int64), groups)
    return StrangersMeasured(path, len(strange), called, auroc.measure(order), bad)


def _pictures(predictor: Predictor, path: str) -> Iterable[tuple[str, Callable[[], Pixels | str]]]:
    """Each with its name, and what reads it: the preprocessed picture, or why there is none."""
    frame, side = predictor.preprocessing, predictor.preprocessing.decode_side()
    if Path(path).is_dir():
        read_file = reason_or(predictor.read)
        files = (file for file, is_picture in walked(path) if is_picture)
        return ((name, partial(read_file, name)) for name in files)
    dataset = open_dataset(path)

    def read(row: int) -> Pixels:
        return frame.apply(dataset.images.pixels(row, side))

    read_row = reason_or(read)
    return ((name, partial(read_row, row)) for row, name in enumerate(dataset.paths))
