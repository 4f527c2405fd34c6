"""A run + pictures -> why each was answered as it was. Comes in: paths, bytes, Pillow images or arrays; goes out: an
Explanation, or a Failure with its reason, each in its place.

The predictor answers; the network behind it is asked once more, as it is, without the views that a run may average
over. Must not know the terminal or pages.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from sightline.data.medical.slices import Volumes
from sightline.data.reading.scan import in_threads, reason_or
from sightline.data.storage.named import read_named
from sightline.data.warp import Floats
from sightline.decision import AnyPrediction
from sightline.engines.exported import ExportedEngine
from sightline.errors import BadPicturesError, ConfigError, RunError, nearest
from sightline.explainers import METHODS, Question, Subject
from sightline.explaining.explanation import Explanation
from sightline.explaining.exported import ExportedStages
from sightline.explaining.picture import Picture, opened
from sightline.predictor import Failure, Input, Predictor, input_name, is_picture

if TYPE_CHECKING:
    from sightline.engines.torch import TorchEngine
    from sightline.explaining.staging import Staging

DEFAULT, BY_ANSWERS = "hires_cam", "occlusion"
COMPARED = "explainers.json"  # in a run folder: what a comparison of methods found


@dataclass(frozen=True)
class Explainer:
    """Explains a run's answers by one method.

    stages            what methods by stages read; None: the network has none
    target, against   names: why this one (None: what was answered), and not that one
    """

    predictor: Predictor
    method: str
    answers: Callable[[Floats], Floats]
    stages: "Staging | ExportedStages | None" = None
    target: str | None = None
    against: str | None = None
    seed: int = 0

    @staticmethod
    def open(
        run: str | Path | Predictor,
        method: str | None = None,
        target: str | None = None,
        against: str | None = None,
        seed: int = 0,
    ) -> "Explainer":
        """Of a run folder, an artefact, or a predictor at hand. `method`: None: the one that was found the best for
        this run; of an artefact, if it gives answers alone, BY_ANSWERS.

        Raises ConfigError for a method or class that does not exist, and for a method that this network does not
        allow; RunError or WeightsError if the run cannot be opened.
        """
        chosen = method or best_for(run)
        METHODS.check(chosen)
        predictor = run if isinstance(run, Predictor) else Predictor.open(run)
        engine = torch_engine(predictor)
        exported = _exported_stages(predictor)
        method = BY_ANSWERS if method is None and engine is None and exported is None else chosen
        for name in (target, against):
            if name is not None and name not in predictor.classes:
                raise ConfigError(nearest(name, predictor.classes, "class"))
        if against is not None and against == target:
            raise ConfigError(f"against: {against!r} is the target itself; name another class")
        if engine is None:
            _check_no_gradients(method, exported is not None)
            return Explainer(predictor, method, _answers_of(predictor), exported, target, against, seed)
        from sightline.explaining.answering import Answering
        from sightline.explaining.staging import Staging

        stage = engine.network.last_map()
        if stage is None and METHODS.get(method).NEEDS == "stage":
            others = [name for name in METHODS.names() if METHODS.get(name).NEEDS != "stage"]
            raise ConfigError(
                f"{method}: no stage of {engine.network.architecture} gives a map of the picture larger than one "
                f"point; these methods do without: {', '.join(others)}"
            )
        stages = None if stage is None else Staging(engine, stage)
        return Explainer(predictor, method, Answering(engine), stages, target, against, seed)

    def explain(self, inputs: Input | Iterable[Input]) -> list[Explanation]:
        """One picture or several, in order. Raises BadPicturesError if any cannot be read."""
        single = isinstance(inputs, str | bytes | Path | Image.Image) or is_picture(inputs)
        results = list(self.stream([inputs] if single else inputs))  # type: ignore[list-item,arg-type]
        if bad := {r.path: r.error for r in results if isinstance(r, Failure)}:
            raise BadPicturesError(bad)
        return [r for r in results if not isinstance(r, Failure)]

    def stream(self, inputs: Iterable[Input]) -> Iterator[Explanation | Failure]:
        """An explanation for each input, in order, as they are reached."""
        volumes = Volumes(read_named)

        def read_one(item: Input) -> Picture:
            return opened(self.predictor, item, volumes)

        read = reason_or(read_one)
        return self.of(in_threads(lambda pair: (input_name(*pair), read(pair[1])), enumerate(inputs)))

    def of(self, named: Iterable[tuple[str, Picture | str]]) -> Iterator[Explanation | Failure]:
        """An explanation for each picture with its name, in order; a Failure where there is a reason in its place."""
        named = iter(named)
        while chunk := list(islice(named, self.predictor.engine.batch_size)):
            good = [(name, found) for name, found in chunk if not isinstance(found, str)]
            answers = list(self.predictor.answered([name for name, _ in good], [found.frame for _, found in good]))
            told = [(found, a) for (_, found), a in zip(good, answers, strict=True) if not isinstance(a, Failure)]
            explained = self._explained([found for found, _ in told], [answer for _, answer in told])
            outcomes = (answer if isinstance(answer, Failure) else next(explained) for answer in answers)
            for name, found in chunk:
                yield Failure(name, found) if isinstance(found, str) else next(outcomes)

    def maps(self, pixels: Floats, question: Question) -> Floats:
        """What the method says of preprocessed pictures (N, height, width, C) 0..255: (N, height, width)."""
        found: Floats = METHODS.get(self.method).maps(self.subject(pixels, question))
        assert found.shape == pixels.shape[:3] and found.dtype == np.float32
        return found

    def subject(self, pixels: Floats, question: Question) -> Subject:
        """What methods are given of these pictures."""
        size, engine = self.predictor.engine.batch_size, torch_engine(self.predictor)
        blank = self.predictor.preprocessing.blank()
        plain = Subject(pixels, question, blank, self.answers, batch_size=size, seed=self.seed)
        seen = replace(plain, at_stages=self.stages)
        return seen if engine is None else _with_gradients(seen, engine)

    def question(self, answers: Sequence[AnyPrediction]) -> Question:
        """Of pictures that were answered so."""
        classes = self.predictor.classes
        if self.target is not None:
            targets = np.full(len(answers), classes.index(self.target), np.intp)
        else:
            targets = np.array([_answered(answer, classes) for answer in answers], np.intp)
        against = None if self.against is None else np.full(len(answers), classes.index(self.against), np.intp)
        return Question(self.predictor.task, targets, against)

    def _explained(self, pictures: list[Picture], answers: list[AnyPrediction]) -> Iterator[Explanation | Failure]:
        if not pictures:
            return
        classes, method, question = self.predictor.classes, METHODS.get(self.method), self.question(answers)
        pixels = np.stack([picture.frame for picture in pictures]).astype(np.float32)
        maps = self.maps(pixels, question)
        for picture, answer, target, found in zip(pictures, answers, question.targets.tolist(), maps, strict=True):
            if classes[target] == self.against:
                yield Failure(answer.path, f"answered {self.against}, so there is no why not; name the target too")
                continue
            yield Explanation(
                answer.path, self.method, answer, classes[target], self.against, found, method.UNIT, method.SIGNED,
                picture.frame, picture.window, picture.shown, picture.size,
            )  # fmt: skip


def best_for(run: str | Path | Predictor) -> str:
    """The method that a comparison chose for a run, DEFAULT where there was none."""
    if isinstance(run, Predictor) or not (path := Path(run) / COMPARED).is_file():
        return DEFAULT
    try:
        return str(json.loads(path.read_text("utf-8"))["best"] or DEFAULT)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} cannot be read ({error}); compare again, or name a method") from error


def _answered(answer: AnyPrediction, classes: tuple[str, ...]) -> int:
    """Which output an answer hangs on most: the class; of several the most probable; the first number."""
    probabilities: dict[str, float] = getattr(answer, "probabilities", {})  # numbers have none
    return int(np.argmax(list(probabilities.values()))) if probabilities else 0


def torch_engine(predictor: Predictor) -> "TorchEngine | None":
    """The engine that gives gradients; None where another answers."""
    if isinstance(predictor.engine, ExportedEngine):
        return None
    from sightline.engines.torch import TorchEngine

    return predictor.engine if isinstance(predictor.engine, TorchEngine) else None


def _with_gradients(subject: Subject, engine: "TorchEngine") -> Subject:
    """A subject whose network may be asked for gradients too."""
    from contextlib import nullcontext

    from sightline.engines.gradients import gradients, in_parts
    from sightline.engines.rectifying import Rectifying

    def gradient(pixels: Floats, question: Question, rule: Any = None) -> Floats:
        with nullcontext() if rule is None else Rectifying(rule) as heard:
            (found,) = in_parts(
                lambda part: (gradients(engine, pixels[part], question.of(part).score),), len(pixels), engine.batch_size
            )
        if heard is not None and not heard.num_heard:
            raise ConfigError(f"{rule}: {engine.network.architecture} has no activations that are known; take another")
        return found

    return replace(subject, gradient=gradient)


def _exported_stages(predictor: Predictor) -> ExportedStages | None:
    """Of an export whose graphs give maps."""
    engine = predictor.engine
    return ExportedStages(engine) if isinstance(engine, ExportedEngine) and engine.map_weights else None


def _check_no_gradients(method: str, has_maps: bool) -> None:
    """Raise ConfigError for a method that needs more than an export gives."""
    given = ("answers", "stage") if has_maps else ("answers",)
    if METHODS.get(method).NEEDS not in given:
        others = [name for name in METHODS.names() if METHODS.get(name).NEEDS in given]
        what = "answers and maps of stages, but no gradients of pixels" if has_maps else "answers alone, no gradients"
        more = "" if has_maps else ", and with maps (sightline export --maps) those by stages"
        raise ConfigError(f"{method}: an export gives {what}; these methods do without: {', '.join(others)}{more}")


def _answers_of(predictor: Predictor) -> Callable[[Floats], Floats]:
    """Any number of pictures -> their logits, of the pictures as they are, by an engine that is no torch network."""
    return lambda pixels: predictor.answers(iter(pixels)).plain
