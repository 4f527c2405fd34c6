"""OpenVINO's graphs, by OpenVINO."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.artefact import Artefact
from sightline.data.warp import Floats
from sightline.engines.openvino import Requests, copied, core, package
from sightline.engines.runtimes import OUTPUTS, Whole, maps_named
from sightline.errors import RunError

PACKAGE = "openvino"
MODEL = "model.xml"
FRAMES = "sightline/frames"  # the operation in the graph that gives preprocessed pictures
HINTS = {"bf16": "bf16"}  # all else computes in float32, and what is quantised in int8


class OpenVINOGraph:
    """`alone` answers one picture by all threads; `many` as many as there are threads, each by one.

    compiled    makes it for so many at a time
    with_maps   makes another graph of the same network, that gives the maps of so many stages; None where it has none
    """

    def __init__(
        self,
        compiled: Callable[[int], Any],
        num_threads: int,
        with_maps: "Callable[[int], OpenVINOGraph] | None" = None,
    ) -> None:
        self._compiled, self.num_threads, self._with_maps = compiled, num_threads, with_maps
        self.alone = compiled(1)
        self.places = {name: i for i, output in enumerate(self.alone.outputs) for name in output.get_names()}
        self._giving_maps: OpenVINOGraph | None = None

    @cached_property
    def many(self) -> Requests:
        """Made when there are many pictures: the first answer needs no more than the other one."""
        return Requests(self._compiled(self.num_threads), self.num_threads)

    def __call__(self, frames: Floats) -> tuple[Floats, ...]:
        """(n, height, width, C) -> logits, plain, features."""
        found = self._all(frames)
        return tuple(found[self.places.get(name, self.places["logits"])] for name in OUTPUTS)

    def maps(self, frames: Floats, num: int) -> tuple[Floats, ...]:
        """(n, height, width, C) -> of each stage (n, D, H', W')."""
        if self._giving_maps is None:
            assert self._with_maps is not None  # the artefact says that it has maps
            self._giving_maps = self._with_maps(num)
        found = self._giving_maps._all(frames)
        return tuple(found[self._giving_maps.places[name]] for name in maps_named(num))

    def _all(self, frames: Floats) -> list[Floats]:
        return copied(self.alone([frames], share_inputs=True)) if len(frames) == 1 else self.many(frames)


def load(artefact: Artefact, num_threads: int) -> OpenVINOGraph:
    """Raises MissingExtraError where OpenVINO is not installed, RunError where it cannot take the graph."""
    frame = artefact.config.preprocessing
    shape = [1, frame.height, frame.width, frame.channels]

    def graph(names: Sequence[str], with_maps: Callable[[int], OpenVINOGraph] | None = None) -> OpenVINOGraph:
        with _reading(artefact):
            model = from_frames(core().read_model(artefact.path / MODEL), shape, names)
            return graph_of(model, shape, artefact.precision, num_threads, with_maps)

    return graph(OUTPUTS, lambda num: graph(maps_named(num)))


def whole(artefact: Artefact) -> Whole:
    """Raises as `load` does."""
    hint = HINTS.get(artefact.precision, "f32")
    with _reading(artefact):
        model = core().read_model(artefact.path / MODEL)
        compiled = core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": hint})

    def answer(pixels: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        found = compiled([pixels])
        return np.array(found[0]), np.array(found["logits"])

    return answer


@contextlib.contextmanager
def _reading(artefact: Artefact) -> Iterator[None]:
    """Whatever OpenVINO raises of a graph becomes a RunError; KeyError is of one that is not ours."""
    openvino = package()
    try:
        yield
    except Exception as error:  # of OpenVINO, which knows RuntimeError alone
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        where = artefact.path / MODEL
        raise RunError(f"{where}: OpenVINO {openvino.__version__} cannot take it: {reason}") from error


def graph_of(
    model: Any,
    shape: list[int],
    precision: str,
    num_threads: int,
    with_maps: Callable[[int], OpenVINOGraph] | None = None,
) -> OpenVINOGraph:
    """Of a model from preprocessed pictures on; the shape of one."""
    hint, model = HINTS.get(precision, "f32"), model.clone()
    model.reshape(shape)

    def compiled(streams: int) -> Any:
        settings = {"INFERENCE_NUM_THREADS": num_threads, "NUM_STREAMS": streams, "INFERENCE_PRECISION_HINT": hint}
        return core().compile_model(model, "CPU", settings)

    return OpenVINOGraph(compiled, num_threads, with_maps)


def from_frames(model: Any, shape: list[int], names: Sequence[str] = OUTPUTS) -> Any:
    """The graph of a model from its preprocessed pictures on, to outputs of those `names`.

    Raises KeyError where it has no such place.
    """
    openvino = package()
    operations = {operation.get_friendly_name(): operation for operation in model.get_ops()}
    frames = openvino.op.Parameter(openvino.Type.f32, openvino.PartialShape(shape))
    frames.output(0).set_names({"frames"})
    for reader in operations[FRAMES].output(0).get_target_inputs():
        reader.replace_source_output(frames.output(0))
    results = [result for result in model.get_results() if result.input_value(0).get_names() & set(names)]
    return openvino.Model(results, [frames], "frames")
