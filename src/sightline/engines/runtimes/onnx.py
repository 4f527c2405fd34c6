"""ONNX graphs, by ONNX Runtime."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.artefact import Artefact
from sightline.data.warp import Floats
from sightline.engines.runtimes import OUTPUTS, Whole, maps_named
from sightline.errors import MissingExtraError, RunError

PACKAGE = "onnxruntime"
MODEL, FRAMES = "model.onnx", "frames.onnx"


class OnnxGraph:
    """`alone` answers one picture by all threads; `one_of_many` by one, for as many pictures as there are threads.

    Both live in a thread of their own: ONNX Runtime lets the thread that opens a session take numbers below float32's
    full precision for zero, which is wanted here and not of the caller's thread. Threads inherit it from their maker.
    """

    def __init__(self, model: Any, num_threads: int) -> None:
        self.model, self.home, self.threads = model, ThreadPoolExecutor(1), ThreadPoolExecutor(num_threads)
        self.alone = self.home.submit(_session, model, num_threads).result()
        names = [output.name for output in self.alone.get_outputs()]
        self.names = [name for name in OUTPUTS if name in names]

    @cached_property
    def one_of_many(self) -> Any:
        """Opened when there are many: the first answer needs no more than the other one."""
        return _session(self.model, 1)

    def __call__(self, frames: Floats) -> tuple[Floats, ...]:
        """(n, height, width, C) -> logits, plain, features."""
        by_name = dict(zip(self.names, self.home.submit(self._answers, frames, self.names).result(), strict=True))
        return tuple(by_name[name] if name in by_name else by_name["logits"] for name in OUTPUTS)

    def maps(self, frames: Floats, num: int) -> tuple[Floats, ...]:
        """(n, height, width, C) -> of each stage (n, D, H', W')."""
        return self.home.submit(self._answers, frames, maps_named(num)).result()

    def _answers(self, frames: Floats, names: Sequence[str]) -> tuple[Floats, ...]:
        if len(frames) == 1:
            return tuple(self.alone.run(names, {"frames": frames}))
        session, ones = self.one_of_many, [frames[i : i + 1] for i in range(len(frames))]
        found = list(self.threads.map(lambda one: session.run(names, {"frames": one}), ones))
        return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def load(artefact: Artefact, num_threads: int) -> OnnxGraph:
    """Raises MissingExtraError where ONNX Runtime is not installed, RunError where it cannot take the graph."""
    return graph_of(artefact.path / FRAMES, num_threads)


def graph_of(model: Any, num_threads: int) -> OnnxGraph:
    """Of a file, or of an onnx.ModelProto with its weights. Raises as `load` does."""
    return OnnxGraph(model, num_threads)


def whole(artefact: Artefact) -> Whole:
    """Raises as `load` does."""
    with ThreadPoolExecutor(1) as home:
        session = home.submit(_session, artefact.path / MODEL, 1).result()
    names = [output.name for output in session.get_outputs()]

    def answer(pixels: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        answers, logits = session.run([names[0], "logits"], {"pixels": pixels})
        return answers, logits

    return answer


def _session(model: Any, num_threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("an export to onnx", PACKAGE, "runtime") from error
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = num_threads, 1
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    source, where = (model, model) if isinstance(model, Path) else (model.SerializeToString(), "the quantised graph")
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of ONNX Runtime, which has a dozen kinds
        raise RunError(f"{where}: ONNX Runtime {onnxruntime.__version__} cannot take it: {error}") from error
