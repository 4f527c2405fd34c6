"""A Run or an Artefact + pictures -> predictions: the only inference loop of the house.

Comes in: paths, addresses that fsspec knows, bytes, Pillow images or arrays; goes out: a Prediction, or a Failure with
its reason, each in its place. A slice of a NIfTI volume is named as in a data set, `scan.nii.gz#17`. Inputs are
streamed: a million files need no more memory than a few batches. Must not know the terminal, nor where files lie.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.artefact import Artefact, is_artefact
from sightline.data.decode import PictureError, decode, to_pixels
from sightline.data.decoding.deep import deep_array
from sightline.data.medical.slices import Volumes, may_be_slice
from sightline.data.preprocess import Pixels, Preprocessing
from sightline.data.reading.scan import in_threads, reason_or
from sightline.data.storage.named import fetched, read_named
from sightline.data.storage.remote import is_url
from sightline.decision import (
    Abstention,
    Answers,
    AnyDecision,
    AnyPrediction,
    AnySets,
    Unknown,
    abstention,
    fitted_sets,
    open_decision,
    with_sets,
)
from sightline.decision import Prediction as Prediction
from sightline.decision import sets as decision_sets
from sightline.errors import BadPicturesError, ConfigError, RunError
from sightline.run import CALIBRATION, CONFIG, UNKNOWN, Run, read_arrays

NOT_FINITE = "the network's answer to it is no finite number: its weights are too large for this picture or precision"

Input = str | Path | bytes | Image.Image | NDArray[np.generic]


class Engine(Protocol):
    """One compiled callable: (n, height, width, C), n <= batch_size -> float32 logits (n, K).

    uint8, or float32 0..255 where a picture holds more than 8 bits; the same picture gives the same bits as either.
    """

    @property
    def batch_size(self) -> int: ...

    def __call__(self, images: Pixels) -> NDArray[np.float32]: ...

    def answers(self, images: Pixels) -> Answers:
        """The same logits, and what else the network knows of the pictures."""
        ...


@dataclass(frozen=True)
class Failure:
    """A picture that could not be read or answered, and why."""

    path: str
    error: str


def cells_of(answer: AnyPrediction | Failure, num_columns: int) -> tuple[str, ...]:
    """Of a table: so many cells of the decision's columns, then `doubt` and `error`."""
    if isinstance(answer, Failure):
        return *[""] * num_columns, "", answer.error
    return *answer.cells(), answer.doubt, ""


@dataclass(frozen=True)
class Predictor:
    """What answers: an engine between one preprocessing and one decision. `classes`: the names of the logits.

    `unknown`: by what pictures of something else are told; None where there is nothing to tell them by. `abstention`:
    which answers are given; None: all. `num_threads`: in which pictures are read; None: one a core.
    """

    engine: Engine
    preprocessing: Preprocessing
    decision: AnyDecision
    classes: tuple[str, ...]
    task: str = "single"
    unknown: Unknown | None = None
    abstention: Abstention | None = None
    num_threads: int | None = None

    @staticmethod
    def open(
        path: str | Path,
        sets: float | None = None,
        method: str | None = None,
        by_class: bool = False,
        abstain: float | None = None,
        num_threads: int | None = None,
    ) -> "Predictor":
        """The predictor of a run folder, or of what was exported from one. Raises RunError or WeightsError if it cannot
        be opened; MissingExtraError where an artefact's engine is not installed.

        `sets`: a rate of error; answers come with the classes among which the right one is but for that share, or, of
        numbers, with the interval. `method`: how sets of one class are made (aps). `abstain`: the share of given
        answers that may be wrong; less sure ones are marked. Raises ConfigError where the run cannot promise it.
        `num_threads`: that read pictures, and that an artefact answers in; None: one a core. A run has its own number,
        which its last bits hang on.
        """
        artefact = Artefact.open(Path(path)) if is_artefact(Path(path)) else None
        run = Run.open(Path(path)) if artefact is None else artefact.run
        config = run.config
        try:
            where = f"{run.path / CONFIG}: decision"
            decision: AnyDecision = (plain := open_decision(config.task, config.decision, len(config.classes), where))
        except ConfigError as error:
            raise RunError(str(error)) from error
        if (made := open_sets_if_asked(run, sets, method, by_class)) is not None:
            decision = with_sets(plain, made)
        abstention = None if abstain is None else open_abstention(run, abstain)
        engine, unknown = _open_engine(run, artefact, num_threads), open_unknown(run)
        return Predictor(
            engine, config.preprocessing, decision, config.classes, config.task, unknown, abstention, num_threads
        )

    def predict(self, inputs: Input | Iterable[Input]) -> list[AnyPrediction]:
        """Predictions for one picture or several, in order. Raises BadPicturesError if any cannot be read."""
        single = isinstance(inputs, str | bytes | Path | Image.Image) or is_picture(inputs)
        results = list(self.stream([inputs] if single else inputs))  # type: ignore[list-item,arg-type]
        bad = {r.path: r.error for r in results if isinstance(r, Failure)}
        if bad:
            raise BadPicturesError(bad)
        return [r for r in results if not isinstance(r, Failure)]

    def stream(self, inputs: Iterable[Input]) -> Iterator[AnyPrediction | Failure]:
        """An answer for each input, in order, as they are reached.

        Raises DataError where a server does not answer for a while: its pictures are not bad.
        """
        volumes = Volumes(read_named)

        def read(one: tuple[Input, Future[bytes] | None]) -> Pixels:
            item, data = one
            return self.read(item if data is None else data.result(), volumes)

        read_one, numbered = reason_or(read), enumerate(fetched(inputs, _url_of))
        pictures = in_threads(lambda one: (input_name(one[0], one[1][0]), read_one(one[1])), numbered, self.num_threads)
        while chunk := list(islice(pictures, self.engine.batch_size)):
            good = [pixels for _, pixels in chunk if not isinstance(pixels, str)]
            rows = self.answered([name for name, pixels in chunk if not isinstance(pixels, str)], good)
            for name, pixels in chunk:
                yield Failure(name, pixels) if isinstance(pixels, str) else next(rows)

    def answered(self, names: list[str], pictures: list[Pixels]) -> Iterator[AnyPrediction | Failure]:
        """An answer to each preprocessed picture of a batch, in order."""
        return self.told(names, *self.asked(pictures)) if pictures else iter(())

    def asked(self, pictures: list[Pixels]) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Preprocessed pictures of a batch -> outputs (n, K), a row of NaN where the network gave no finite numbers;
        how familiar they are (n,), where there is something to tell it by."""
        if self.unknown is None:
            logits, familiarity = self.engine(np.stack(pictures)), None
        else:
            answers = self.engine.answers(np.stack(pictures))
            logits, familiarity = answers.logits, self.unknown.of(answers)
        finite = np.isfinite(logits).all(axis=1, keepdims=True)
        return np.where(finite, self.decision.outputs(np.where(finite, logits, 0)), np.nan), familiarity

    def told(
        self, names: list[str], outputs: NDArray[np.float64], familiarity: NDArray[np.float64] | None
    ) -> Iterator[AnyPrediction | Failure]:
        """The answers that these are, in order; a Failure in place of NaN."""
        doubts = np.full(len(names), "", object)
        if self.unknown is not None and familiarity is not None:
            doubts = np.where(self.unknown.is_unknown(familiarity), "unknown", "")
        if self.abstention is not None:
            doubts = np.where((doubts == "") & ~self.abstention.is_given(outputs.max(axis=1)), "unsure", doubts)
        for i, row in enumerate(outputs):
            if np.isnan(row).any():
                yield Failure(names[i], NOT_FINITE)
                continue
            answer = self.decision.answer(names[i], row, self.classes)
            known = None if familiarity is None else float(familiarity[i])
            yield replace(answer, familiarity=known, doubt=str(doubts[i]))

    def logits(self, pictures: Iterable[Pixels]) -> NDArray[np.float32]:
        """Preprocessed pictures (height, width, C) -> logits (N, K). Raises RunError where some are not finite."""
        found = [_finite(self.engine(batch)) for batch in self._batches(pictures)]
        return np.concatenate(found) if found else np.empty((0, len(self.classes)), np.float32)

    def answers(self, pictures: Iterable[Pixels]) -> Answers:
        """Preprocessed pictures (height, width, C) -> all that the network gives of them. Raises as `logits` does."""
        found = [self.engine.answers(batch) for batch in self._batches(pictures)]
        for answers in found:
            _finite(answers.logits)
        return Answers.joined(found) if found else Answers.none(len(self.classes))

    def _batches(self, pictures: Iterable[Pixels]) -> Iterator[Pixels]:
        pictures = iter(pictures)
        while chunk := list(islice(pictures, self.engine.batch_size)):
            yield np.stack(chunk)

    def read(self, item: Input, volumes: Volumes | None = None) -> Pixels:
        """One input, preprocessed. Raises PictureError. `volumes`: those that inputs may be slices of."""
        return self.preprocessing.apply(self.decoded(item, volumes))

    def decoded(self, item: Input, volumes: Volumes | None = None) -> Pixels:
        """One input, decoded, as large as preprocessing needs it."""
        if isinstance(item, str | Path):
            if "\0" in str(item):
                raise PictureError("a name with a null byte in it")
            if not str(item):
                raise PictureError("an empty name")
            try:
                if volumes is not None and (pixels := volumes.slice(str(item))) is not None:
                    return pixels
                item = read_named(str(item))
            except IsADirectoryError as error:
                raise PictureError("a folder, not a picture") from error
        side = self.preprocessing.decode_side()
        if isinstance(item, bytes):
            return decode(item, side)
        return to_pixels(item, side) if isinstance(item, Image.Image) else _from_array(item)


def _finite(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    bad = int((~np.isfinite(logits)).any(axis=1).sum())
    if bad:
        raise RunError(
            f"the network's answers to {bad} of {len(logits)} pictures are no finite numbers: its weights are too "
            "large for them, or for an export's precision; train with a lower learning rate, or export in another "
            "precision"
        )
    return logits


def _open_engine(run: Run, artefact: Artefact | None, num_threads: int | None) -> Engine:
    """torch is needed for a run, and only for a run."""
    if artefact is not None:
        from sightline.engines.exported import open_artefact

        return open_artefact(artefact, num_threads)
    from sightline.engines.torch import open_run

    return open_run(run)


def open_sets_if_asked(run: Run, error: float | None, method: str | None, by_class: bool) -> AnySets | None:
    """As `open_sets`; None where no rate of error is given: then ConfigError is raised for how they are to be made."""
    if error is not None:
        return open_sets(run, error, method, by_class)
    if method is not None or by_class:
        raise ConfigError(
            "sets-by and by-class say how sets are made: ask for sets too, by a rate of error (--sets 0.1, sets=0.1)"
        )
    return None


def open_sets(run: Run, error: float, method: str | None = None, by_class: bool = False) -> AnySets:
    """The sets of a run for a rate of error; the intervals, where it answers numbers.

    Raises RunError where it keeps nothing to make them by, ConfigError where it cannot promise it.
    """
    document = _known(run)
    config, where = run.config, str(run.path / CALIBRATION)
    return fitted_sets(config.task, document, config.classes, where, error, method, by_class)


def _known(run: Run) -> dict[str, Any]:
    """What a run keeps of its calibration pictures."""
    if not (run.path / CALIBRATION).is_file():
        raise RunError(
            f"{run.path} has no {CALIBRATION}: it was trained by an earlier version, or without pictures to calibrate "
            "on; train again"
        )
    return run.read_json(CALIBRATION)


def open_abstention(run: Run, error: float) -> Abstention:
    """Which answers a run gives so that a share `error` of them is wrong. Raises as `open_sets` does."""
    if run.config.task != "single":
        raise ConfigError(f"abstain: {run.path} does not answer one class a picture, but {run.config.task}")
    where = str(run.path / CALIBRATION)
    return abstention.fitted(decision_sets.opened(_known(run), len(run.config.classes), where), error, where)


def open_unknown(run: Run) -> Unknown | None:
    """By what a run tells pictures of something else; None where it keeps nothing for it. Raises RunError where that is
    damaged."""
    path = run.path / UNKNOWN
    return Unknown.opened(*read_arrays(path), str(path)) if path.is_file() else None


def _from_array(array: NDArray[np.generic]) -> Pixels:
    """(H, W), (H, W, 1), (H, W, 3) or (H, W, 4) -> pixels. Raises PictureError for anything else.

    uint8 0..255, uint16 0..65535, or floats 0..1.
    """
    array = np.asarray(array)
    known = array.dtype in (np.uint8, np.uint16, np.float32, np.float64)
    if not (known and is_picture(array) and array.size):
        raise PictureError(
            f"an array of {array.dtype} {array.shape}; expected uint8 0..255, uint16 0..65535 or floats 0..1 of shape "
            "(height, width), (height, width, 1), (height, width, 3) or (height, width, 4)"
        )
    if array.dtype != np.uint8:
        return deep_array(array if array.ndim == 3 else array[:, :, None])
    return to_pixels(Image.fromarray(array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array))


def is_picture(inputs: object) -> bool:
    """An array of 2 axes, or 3 with grey or colour last, is one picture; of 4, several."""
    return isinstance(inputs, np.ndarray) and (inputs.ndim == 2 or (inputs.ndim == 3 and inputs.shape[2] in (1, 3, 4)))


def _url_of(item: Input) -> str | None:
    """The address of a picture on a server, which is on its way before a thread has time to decode it."""
    return item if isinstance(item, str) and is_url(item) and not may_be_slice(item) else None


def input_name(number: int, item: Input) -> str:
    return str(item) if isinstance(item, str | Path) else f"input[{number}]"
