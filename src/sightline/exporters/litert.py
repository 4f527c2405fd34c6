"""LiteRT (TensorFlow Lite): for telephones and small boards, and processors.

One graph, from one preprocessed picture to answers, logits and features: LiteRT plans its memory for one size, so
pictures are decoded and resized before it. The Predictor does so by the same code as the run.
"""

import copy
import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sightline.engines.runtimes.litert import FRAMES, MODEL
from sightline.errors import ConfigError, MissingExtraError
from sightline.exporters._int8 import quiet
from sightline.exporters._source import Source
from sightline.exporters._traced import Decided, FromFrames, cannot

SAYS = "model.tflite, for LiteRT (TensorFlow Lite) on telephones, small boards and processors"
PRECISIONS = ("fp32", "fp16")
PACKAGES = ("torch", "litert-torch", "litert-converter", "ai-edge-litert")

FACTS = "sightline"  # the file's metadata of this name are the facts, as JSON


def write(source: Source, folder: Path, precision: str) -> tuple[str, ...]:
    """model.tflite. Raises ExportError where the network cannot be exported, MissingExtraError without litert-torch,
    ConfigError where maps of stages are wanted.
    """
    if source.stages:
        raise ConfigError("litert: its graphs give no maps yet; take onnx or openvino, or export without --maps")
    content = _with_facts(_converted(source), _facts(source))
    (folder / MODEL).write_bytes(_halved(content) if precision == "fp16" else content)
    return ()


class _Answering(torch.nn.Module):
    """`frames` float32 (1, height, width, C) 0..255 -> the answers, `logits`, `features`; of several views `plain`."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.network, self.decided = FromFrames(source.engine), Decided(source.decision)
        self.answers = source.answers

    def forward(self, frames: Tensor) -> dict[str, Tensor]:
        logits, *plain, features = self.network(frames)
        found = {self.answers: self.decided(logits), "logits": logits, "features": features}
        return found | ({"plain": plain[0]} if plain else {})


def _converted(source: Source) -> bytes:
    """The graph. Raises ExportError where it cannot be traced, or has an operation that LiteRT has not."""
    converter = _converter()
    frame, module = source.engine.config.preprocessing, _plain(_Answering(source).eval())
    example = torch.rand(1, frame.height, frame.width, frame.channels) * 255
    what = source.engine.config.architecture
    try:
        with torch.no_grad(), warnings.catch_warnings(), quiet():
            warnings.simplefilter("ignore")  # of torch and jax, of their own deprecations
            content: bytes = converter.convert(module, sample_kwargs={FRAMES: example}).model_content()
    except Exception as error:  # of torch's tracer, the converter or its compiler, of any kind
        raise cannot(what, error, module) from error
    return content


def _plain(module: torch.nn.Module) -> torch.nn.Module:
    """A copy on the processor, its weights in the usual layout: litert-torch 0.10 confuses those of `channels_last`."""
    copied: torch.nn.Module = copy.deepcopy(module).to(  # type: ignore[call-overload]  # missing in torch's stubs
        device="cpu", memory_format=torch.contiguous_format
    )
    return copied


def _converter() -> Any:
    try:
        import litert_torch
        from litert_torch.fx_infra import decomp
    except ImportError as error:
        raise MissingExtraError("an export to litert", "litert-torch", "litert-export") from error
    litert_torch.config.show_progress = False
    decomp.add_pre_convert_decomp(torch.ops.aten.adaptive_max_pool2d.default, _largest)
    return litert_torch


def _largest(maps: Tensor, size: list[int]) -> tuple[Tensor, Tensor]:
    """torch's adaptive_max_pool2d to one pixel, in operations that litert-torch has; nobody asks for the places."""
    if list(size) != [1, 1]:
        return NotImplemented  # type: ignore[no-any-return]  # torch's sign for what stays as it is
    return maps.amax((2, 3), keepdim=True), torch.zeros_like(maps[:, :, :1, :1], dtype=torch.int64)


def _halved(content: bytes) -> bytes:
    """Weights in half precision, which LiteRT widens: half of the file; the arithmetic stays in float32."""
    from ai_edge_quantizer import quantizer
    from ai_edge_quantizer.recipe import AlgorithmName, TFLOperationName

    halving = quantizer.Quantizer(content)
    halving.add_weight_only_config(".*", TFLOperationName.ALL_SUPPORTED, 16, algorithm_key=AlgorithmName.FLOAT_CASTING)
    with quiet():
        return bytes(halving.quantize(enable_progress_report=False).quantized_model)


def _facts(source: Source) -> dict[str, str]:
    """As other targets have them, but for what the graph is given."""
    frame = source.engine.config.preprocessing
    kind = "RGB" if frame.channels == 3 else "grey"
    given = f"float32 (1, {frame.height}, {frame.width}, {frame.channels}) 0..255: {kind}, upright, decoded and resized"
    facts = {name: text for name, text in source.facts.items() if name != "pixels"}
    rule = asdict(frame)
    colours = {name: rule.pop(name) for name in ("mean", "std")}
    if frame.fit == "pad":
        rule["around"] = [round(255 * share) for share in colours["mean"]]
    return facts | {FRAMES: given, "resizing": json.dumps(rule)}


def _with_facts(content: bytes, facts: Mapping[str, str]) -> bytes:
    """The same graph, with a metadata entry."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    entry, buffer = schema.MetadataT(), schema.BufferT()
    buffer.data = np.frombuffer(json.dumps(facts, ensure_ascii=False).encode(), np.uint8)
    entry.name, entry.buffer = FACTS, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
