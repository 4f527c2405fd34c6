"""A run's network -> ONNX, as `torch.export` traces it. Comes in: an engine, and how its logits become answers; goes
out: two graphs, from preprocessed pictures to logits and from logits to probabilities.

The batch is free, standard operations alone. Whatever the run averages over is in the graph.
"""

import re
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from sightline.decision import Decision, MultiDecision, NumberDecision, PlainDecision
from sightline.engines.inside import listening_at
from sightline.engines.runtimes import maps_named
from sightline.engines.torch import TorchEngine, logits_and_features
from sightline.engines.views import averaged
from sightline.errors import ExportError, MissingExtraError
from sightline.exporters._int8 import quiet
from sightline.exporters._where import asked, asked_of_graph

if TYPE_CHECKING:
    import onnx

OPSET = 20
MAX_REASON = 300  # characters of what a converter says
MEND = "Take another target, or a network without it"
NUM_HALVINGS = 32  # of a range of 14 in a logarithm: more exact than float32


def network_graph(engine: TorchEngine, stages: Sequence[str] = ()) -> "onnx.ModelProto":
    """`frames` float32 (N, height, width, C) 0..255 -> `logits` (N, K), `features` (N, D), and `plain` (N, K) where
    logits are the mean over several views; of each of `stages` its maps (N, D, H', W'), `maps0` and so on.

    Raises ExportError where it cannot be traced, or has an operation that ONNX has not.
    """
    frame, is_averaged = engine.config.preprocessing, bool(engine.config.tta)
    names = ["logits", "plain", "features"] if is_averaged else ["logits", "features"]
    names += maps_named(len(stages))
    example = torch.rand(2, frame.height, frame.width, frame.channels) * 255
    return _exported(FromFrames(engine, stages), example, "frames", names, engine.config.architecture)


def decision_graph(decision: PlainDecision, num_outputs: int, name: str) -> "onnx.ModelProto":
    """`logits` float32 (N, K) -> (N, K) of that name: calibrated probabilities, or numbers in the user's units."""
    return _exported(Decided(decision), torch.randn(2, num_outputs), "logits", [name], "the decision")


class FromFrames(torch.nn.Module):
    def __init__(self, engine: TorchEngine, stages: Sequence[str] = ()) -> None:
        super().__init__()
        self.network, self.views, self.stages = engine.network.eval(), engine.config.tta, stages
        scale, shift = (torch.from_numpy(values) for values in engine.config.preprocessing.affine())
        self.scale, self.shift = scale.to(engine.device), shift.to(engine.device)

    def forward(self, frames: Tensor) -> tuple[Tensor, ...]:
        images = frames.permute(0, 3, 1, 2) * self.scale + self.shift
        return averaged(self._answer, images, self.views) if self.views else self._answer(images)

    def _answer(self, images: Tensor) -> tuple[Tensor, ...]:
        with listening_at(self.network, self.stages) as maps:
            found = logits_and_features(self.network, images)
        return *found, *(maps[name] for name in self.stages)


class Decided(torch.nn.Module):
    """What `decision` does in numpy, in float32."""

    def __init__(self, decision: PlainDecision) -> None:
        super().__init__()
        self.decision = decision

    def forward(self, logits: Tensor) -> Tensor:
        decision = self.decision
        if isinstance(decision, NumberDecision):
            return logits * _row(decision.std) + _row(decision.mean)
        if isinstance(decision, MultiDecision):
            if decision.temperatures:
                logits = logits / _row(decision.temperatures) + _row(decision.biases)
            return torch.sigmoid(logits)
        assert isinstance(decision, Decision)
        scores = logits / decision.temperature
        scores = scores - scores.amax(1, keepdim=True)
        return torch.softmax(scores * _factor(scores, decision.curve) if decision.curve else scores, 1)


def _factor(scores: Tensor, curve: Sequence[float]) -> Tensor:
    """(N, K) scores whose largest is 0 -> (N, 1): what gives each answer the curve's probability."""
    a, b, c = curve
    plain = _answer(scores).clamp(1e-7, 1 - 1e-7)
    wanted = torch.sigmoid(a * torch.log(plain) - b * torch.log1p(-plain) + c)
    low, high = torch.full_like(wanted, -7.0), torch.full_like(wanted, 7.0)
    for _ in range(NUM_HALVINGS):
        middle = (low + high) / 2
        is_less = _answer(scores * torch.exp(middle)) < wanted
        low, high = torch.where(is_less, middle, low), torch.where(is_less, high, middle)
    return torch.exp((low + high) / 2)


def _answer(scores: Tensor) -> Tensor:
    return 1 / torch.exp(scores).sum(1, keepdim=True)


def _row(values: Sequence[float]) -> Tensor:
    return torch.from_numpy(np.array(values, np.float32))


def _exported(module: torch.nn.Module, example: Tensor, given: str, outputs: list[str], what: str) -> "onnx.ModelProto":
    try:
        import onnxscript  # noqa: F401  # torch's exporter is built on it
    except ImportError as error:
        raise MissingExtraError("sightline export", "onnxscript", "export") from error
    batch = torch.export.Dim("batch", min=1, max=2**20)
    try:
        with torch.no_grad(), warnings.catch_warnings(), quiet():
            warnings.simplefilter("ignore")  # torch's, of its own deprecations
            program = torch.onnx.export(
                module, (example,), dynamo=True, dynamic_shapes=({0: batch},), input_names=[given],
                output_names=outputs, opset_version=OPSET, verbose=False,
            )  # fmt: skip
    except Exception as error:  # of torch's tracer or of its exporter, of any kind
        raise cannot(what, error, module) from error
    assert program is not None
    proto: onnx.ModelProto = program.model_proto
    if proto.graph.input[0].type.tensor_type.shape.dim[0].HasField("dim_value"):
        raise ExportError(f"{what} cannot be exported: it takes batches of {len(example)} pictures alone, once traced")
    return proto


def cannot(what: str, error: Exception, module: torch.nn.Module) -> ExportError:
    """Of what a tracer or converter of `module` raised: names the operation, and the layer that asks for it."""
    last: BaseException = error
    while last.__cause__ is not None:  # the last of a chain of errors knows most
        last = last.__cause__
    return _cannot(what, asked(error, module), str(last).strip() or type(last).__name__)


def refused_by(engine: str, what: str, reason: str, model: "onnx.ModelProto") -> ExportError:
    """Of what an engine says of a network's graph: the same."""
    return _cannot(what, asked_of_graph(reason, model), f"{engine} says: {reason}")


def _cannot(what: str, layer: str, reason: str) -> ExportError:
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", reason).splitlines() if line.strip()]
    where = f": {layer}" if layer else ""
    return ExportError(f"{what} cannot be exported{where}: {lines[0][:MAX_REASON].rstrip('.')}. {MEND}")
