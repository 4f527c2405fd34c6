"""OpenVINO's own format: the fastest answers on most processors, by bfloat16 where they have it.

One graph from decoded pictures of any size; the Predictor cuts it behind the preprocessing.
"""

import shutil
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.engines.openvino import core, package
from sightline.engines.runtimes.openvino import FRAMES, MODEL, graph_of
from sightline.errors import ExportError
from sightline.exporters._pixels import from_pixels
from sightline.exporters._source import Source
from sightline.exporters._traced import decision_graph, network_graph, refused_by
from sightline.machine import num_cores

if TYPE_CHECKING:
    import onnx

SAYS = "model.xml and model.bin, for OpenVINO"
PRECISIONS = ("fp32", "bf16", "fp16", "int8")
PACKAGES = ("torch", "onnx", "onnxscript", "openvino")
LACKING = "No conversion rule found"  # so OpenVINO says which operations it does not have


def write(source: Source, folder: Path, precision: str) -> tuple[str, ...]:
    """model.xml and model.bin. Raises ExportError where the network cannot be exported."""
    openvino = package()
    config = source.engine.config
    network, kept = _read(network_graph(source.engine, source.stages), config.architecture), tuple[str, ...]()
    if precision == "int8":
        from sightline.exporters._int8_openvino import quantised

        by, frame = source.quantising(), config.preprocessing
        shape = [1, frame.height, frame.width, frame.channels]
        network, kept = quantised(
            network, by.frames, lambda model: by.drop(graph_of(model, shape, precision, num_cores())), by.most
        )
    pixels = core().read_model(from_pixels(config.preprocessing).SerializeToString())
    decision = core().read_model(
        decision_graph(source.decision, len(config.classes), source.answers).SerializeToString()
    )
    whole = _joined(pixels, network, decision)
    for name, text in source.facts.items():
        whole.set_rt_info(text, ["sightline", name])
    try:
        openvino.save_model(whole, str(folder / MODEL), compress_to_fp16=precision == "fp16")
    except RuntimeError as error:  # which forgets the system's reason
        room = shutil.disk_usage(folder).free
        raise ExportError(f"OpenVINO cannot write {MODEL}: {error}; {room / 1e6:,.0f} MB are free there") from error
    return kept


def _read(graph: "onnx.ModelProto", what: str) -> Any:
    """Raises ExportError where the network has an operation that OpenVINO has not."""
    try:
        return core().read_model(graph.SerializeToString())
    except Exception as error:  # of OpenVINO, which knows RuntimeError alone
        # It begins with where it is in its own source. What stumbles behind what is lacking comes before that.
        lines = str(error).splitlines()
        dashed = [f"{line} {after}" for line, after in pairwise([*lines, ""]) if line.startswith("-- ")]
        lacking = [line for line in lines if LACKING in line]
        raise refused_by("OpenVINO", what, [*lacking, *dashed, str(error)][0].strip("- "), graph) from error


def _joined(pixels: Any, network: Any, decision: Any) -> Any:
    """`pixels` uint8 (N, H, W, C) -> the answers (N, K), and all that the network gives."""
    frames = pixels.output(0).get_node().input_value(0)
    frames.get_node().set_friendly_name(FRAMES)
    _replace(network, frames)
    logits = next(result for result in network.get_results() if "logits" in result.output(0).get_names())
    _replace(decision, logits.input_value(0))
    return package().Model([*decision.get_results(), *network.get_results()], pixels.get_parameters(), "sightline")


def _replace(model: Any, by: Any) -> None:
    """Let whatever reads the model's one input read something else."""
    (parameter,) = model.get_parameters()
    for reader in parameter.output(0).get_target_inputs():
        reader.replace_source_output(by)
