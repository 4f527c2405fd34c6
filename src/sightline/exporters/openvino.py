"""OpenVINO's own format: the fastest answers on most processors, by bfloat16 where they have it.

One graph from decoded pictures of any size; the Predictor cuts it behind the preprocessing.
"""

from pathlib import Path
from typing import Any

from sightline.engines.openvino import package
from sightline.engines.runtimes.openvino import FRAMES, MODEL, graph_of
from sightline.exporters._pixels import from_pixels
from sightline.exporters._source import Source
from sightline.exporters._traced import decision_graph, network_graph
from sightline.machine import num_cores

SAYS = "model.xml and model.bin, for OpenVINO"
PRECISIONS = ("fp32", "bf16", "fp16", "int8")
PACKAGES = ("torch", "onnx", "onnxscript", "openvino")


def write(source: Source, folder: Path, precision: str) -> tuple[str, ...]:
    """model.xml and model.bin. Raises ExportError where the network cannot be exported."""
    openvino = package()
    core, config = openvino.Core(), source.engine.config
    network, kept = core.read_model(network_graph(source.engine).SerializeToString()), tuple[str, ...]()
    if precision == "int8":
        from sightline.exporters._int8_openvino import quantised

        by, frame = source.quantising(), config.preprocessing
        shape = [1, frame.height, frame.width, frame.channels]
        network, kept = quantised(
            network, by.frames, lambda model: by.drop(graph_of(model, shape, precision, num_cores())), by.most
        )
    pixels = core.read_model(from_pixels(config.preprocessing).SerializeToString())
    decision = core.read_model(decision_graph(source.decision, len(config.classes), source.answers).SerializeToString())
    whole = _joined(pixels, network, decision)
    for name, text in source.facts.items():
        whole.set_rt_info(text, ["sightline", name])
    openvino.save_model(whole, str(folder / MODEL), compress_to_fp16=precision == "fp16")
    return kept


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
