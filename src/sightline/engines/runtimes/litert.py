"""LiteRT's graphs (TensorFlow Lite), by its interpreter.

They begin with preprocessed pictures, one at a time: LiteRT plans its memory for one size. So `whole` preprocesses by
the same code as the run.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from importlib import metadata
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from sightline.artefact import Artefact
from sightline.data.warp import Floats
from sightline.engines.runtimes import OUTPUTS, Whole
from sightline.errors import MissingExtraError, RunError

PACKAGE = "ai-edge-litert"
MODEL = "model.tflite"
FRAMES = "frames"
MOST_BYTES = 1 << 31  # of weights, of which every interpreter arranges a copy for itself


class _Interpreter:
    """`frames` float32 (1, height, width, C) 0..255 -> name -> values."""

    def __init__(self, model: Path | bytes, num_threads: int) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise MissingExtraError("an export to litert", PACKAGE, "litert") from error
        given = {"model_content": model} if isinstance(model, bytes) else {"model_path": str(model)}
        try:
            self.interpreter = Interpreter(**given, num_threads=num_threads)
            self.interpreter.allocate_tensors()
            signature = self.interpreter.get_signature_runner()  # slow itself: it would allocate for every picture
            self.frames = signature.get_input_details()[FRAMES]["index"]
            self.places = {name: output["index"] for name, output in signature.get_output_details().items()}
        except Exception as error:  # of LiteRT, which knows ValueError and RuntimeError; KeyError is of a foreign graph
            where = "the quantised graph" if isinstance(model, bytes) else model
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise RunError(f"{where}: LiteRT {metadata.version(PACKAGE)} cannot take it: {reason}") from error

    def __call__(self, frames: Floats) -> dict[str, Floats]:
        self.interpreter.set_tensor(self.frames, frames)
        self.interpreter.invoke()
        return {name: self.interpreter.get_tensor(place) for name, place in self.places.items()}


class LiteRTGraph:
    """`alone` answers one picture by all threads; `many` one each, by as few threads as memory allows."""

    def __init__(self, model: Path | bytes, num_threads: int) -> None:
        self.model, self.num_threads = model, num_threads
        self.lock = threading.Lock()  # an interpreter holds the one picture that it is at
        self.alone = _Interpreter(model, num_threads)

    @cached_property
    def many(self) -> list[_Interpreter]:
        """Made when there are many pictures: the first answer needs no more than the other one."""
        size = len(self.model) if isinstance(self.model, bytes) else self.model.stat().st_size
        num = max(1, min(self.num_threads, MOST_BYTES // size))
        return [_Interpreter(self.model, self.num_threads // num) for _ in range(num)]

    def __call__(self, frames: Floats) -> tuple[Floats, ...]:
        """(n, height, width, C) -> logits, plain, features."""
        with self.lock:
            found = [self.alone(frames)] if len(frames) == 1 else self._one_by_one(frames)
        return tuple(np.concatenate([one.get(name, one["logits"]) for one in found]) for name in OUTPUTS)

    def _one_by_one(self, frames: Floats) -> list[dict[str, Floats]]:
        free = SimpleQueue[_Interpreter]()
        for interpreter in self.many:
            free.put(interpreter)

        def answered(place: int) -> dict[str, Floats]:
            interpreter = free.get()
            try:
                return interpreter(frames[place : place + 1])
            finally:
                free.put(interpreter)

        with ThreadPoolExecutor(len(self.many)) as threads:
            return list(threads.map(answered, range(len(frames))))


def load(artefact: Artefact, num_threads: int) -> LiteRTGraph:
    """Raises MissingExtraError where LiteRT is not installed, RunError where it cannot take the graph."""
    return graph_of(artefact.path / MODEL, num_threads)


def graph_of(model: Path | bytes, num_threads: int) -> LiteRTGraph:
    """Of a file or its content. Raises as `load` does."""
    return LiteRTGraph(model, num_threads)


def whole(artefact: Artefact) -> Whole:
    """Raises as `load` does."""
    interpreter, preprocessing = _Interpreter(artefact.path / MODEL, 1), artefact.config.preprocessing
    answers = "values" if artefact.config.task == "number" else "probabilities"

    def answer(pixels: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        frames = [preprocessing.apply(picture).astype(np.float32) for picture in pixels]
        found = [interpreter(frame[None]) for frame in frames]
        return np.concatenate([one[answers] for one in found]), np.concatenate([one["logits"] for one in found])

    return answer
