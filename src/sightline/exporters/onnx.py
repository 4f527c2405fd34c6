"""ONNX: standard operations, which ONNX Runtime and many others run.

Two graphs of the same weights: from decoded pictures of any size, for whoever has no Sightline; and from preprocessed
pictures, for the Predictor, which decodes and preprocesses in many threads.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sightline.engines.runtimes import maps_named
from sightline.engines.runtimes.onnx import FRAMES, graph_of
from sightline.errors import RunError
from sightline.exporters._pixels import from_pixels
from sightline.exporters._source import Source
from sightline.exporters._traced import decision_graph, network_graph, refused_by
from sightline.machine import num_cores

if TYPE_CHECKING:
    import onnx

SAYS = "model.onnx and its weights, for ONNX Runtime and whatever reads ONNX"
PRECISIONS = ("fp32", "fp16", "int8")
PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime")

MODEL, WEIGHTS = "model.onnx", "weights.bin"
LEAST_BYTES = 1024  # of what lies beside the graph
PAGE = 4096  # where a tensor may begin, so that runtimes can map the file


def write(source: Source, folder: Path, precision: str) -> tuple[str, ...]:
    """model.onnx, frames.onnx and weights.bin. Raises ExportError where the network cannot be exported."""
    network, kept = network_graph(source.engine, source.stages), tuple[str, ...]()
    if precision == "fp16":
        _halve_weights(network)
    elif precision == "int8":
        from sightline.exporters._int8_onnx import quantised

        by = source.quantising()
        network, kept = quantised(network, by.frames, lambda model: by.drop(graph_of(model, num_cores())), by.most)
    whole = _joined(source, network)
    for name, text in source.facts.items():
        whole.metadata_props.add(key=name, value=text)
    places = _write_weights(network, folder / WEIGHTS)
    for model, name in ((whole, MODEL), (network, FRAMES)):
        _point_to_weights(model, places)
        (folder / name).write_bytes(model.SerializeToString(deterministic=True))
    try:
        graph_of(folder / FRAMES, num_cores())
    except RunError as error:
        what = source.engine.config.architecture
        raise refused_by("ONNX Runtime", what, str(error.__cause__), network) from error
    return kept


def _joined(source: Source, network: "onnx.ModelProto") -> "onnx.ModelProto":
    """`pixels` uint8 (N, H, W, C) -> the answers (N, K), `logits`, and maps of stages."""
    from onnx import compose

    decision = decision_graph(source.decision, len(source.engine.config.classes), source.answers)
    pixels = from_pixels(source.engine.config.preprocessing)
    for model in (pixels, decision):
        model.ir_version = network.ir_version
    before = compose.merge_models(
        compose.add_prefix(pixels, "pixels/", rename_inputs=False, rename_outputs=False), network,
        io_map=[("frames", "frames")], outputs=["logits", *maps_named(len(source.stages))],
    )  # fmt: skip
    after = compose.add_prefix(decision, "decision/", rename_inputs=True, rename_outputs=False)
    others = list(before.graph.output)
    whole: onnx.ModelProto = compose.merge_models(
        before, after, io_map=[("logits", "decision/logits")], outputs=[source.answers]
    )
    whole.graph.output.extend(others)
    whole.graph.name = "sightline"
    return whole


def _halve_weights(model: "onnx.ModelProto") -> None:
    """Weights in half precision, which the graph widens: half of the file; the arithmetic stays in float32."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or len(tensor.raw_data) < LEAST_BYTES:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), f"{name}/half"))
        casts.append(helper.make_node("Cast", [f"{name}/half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _write_weights(model: "onnx.ModelProto", path: Path) -> dict[str, tuple[int, int]]:
    """Large tensors one after the other; name -> where each begins, and its length."""
    from onnx import numpy_helper

    places = dict[str, tuple[int, int]]()
    with path.open("wb") as file:
        for tensor in model.graph.initializer:
            content = numpy_helper.to_array(tensor).tobytes()
            if len(content) < LEAST_BYTES:
                continue
            file.write(bytes(-file.tell() % PAGE))
            places[tensor.name] = file.tell(), len(content)
            file.write(content)
    return places


def _point_to_weights(model: "onnx.ModelProto", places: dict[str, tuple[int, int]]) -> None:
    from onnx import TensorProto

    for tensor in model.graph.initializer:
        if tensor.name not in places:
            continue
        for field in ("raw_data", "float_data", "int32_data", "int64_data"):
            tensor.ClearField(field)
        tensor.data_location = TensorProto.EXTERNAL
        offset, length = places[tensor.name]
        for key, value in (("location", WEIGHTS), ("offset", str(offset)), ("length", str(length))):
            tensor.external_data.add(key=key, value=value)
