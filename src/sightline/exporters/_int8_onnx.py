"""An ONNX network -> the same in int8, as ONNX Runtime quantises it (QDQ: any reader of ONNX can run it).

Comes in: a float network, pictures, and what tells how much worse a candidate answers; goes out: the int8 network.

Weights are signed, a scale a channel; activations unsigned, a scale a tensor, from the least value to the greatest.
Processors without VNNI sum products of such pairs in 16 bits, which 2 x 255 x 127 overflows silently: weights of
dense layers are kept in 7 bits, 2 x 255 x 64, as no file knows where it will run. Depthwise ones, which are summed in
32 bits everywhere, have all 8.

Layers with weights become int8, and what hands values on unchanged between them. What no int8 kernel exists for (GELU,
LayerNorm, hard-swish), and sums, stay in float. So does normalising: float frames are normalised, then quantised.

Must not know networks' names, runs or the terminal.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import MissingExtraError
from sightline.exporters._int8 import NUM_COMPARED, Apart, Operations, added_by_rounding, least_float, quiet

if TYPE_CHECKING:
    import onnx
    import onnxruntime

LAYERS = ("Conv", "Gemm", "MatMul")
HANDED_ON = ("Clip", "Relu", "MaxPool", "Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze")
STANDARD = ("", "ai.onnx")
FRAMES = "frames"


def quantised(
    model: "onnx.ModelProto",
    frames: NDArray[np.float32],
    drop: Callable[["onnx.ModelProto"], float],
    most: float,
) -> tuple["onnx.ModelProto", tuple[str, ...]]:
    """A float network -> its int8 one, and the names of the layers that had to stay in float; `model` stays as it is.

    model    `frames` float32 (N, height, width, C) 0..255 -> `logits` (N, K), and others
    frames   (n, height, width, C): training pictures, some 300, by which ranges are found
    drop     how much worse than the float network a candidate answers; asked a dozen times at most
    most     what `drop` may be

    Raises ExportError where that is not reached, MissingExtraError without ONNX Runtime.
    """
    try:
        import onnxruntime.quantization
    except ImportError as error:
        raise MissingExtraError("int8 of ONNX", "onnxruntime", "export") from error
    onnxruntime.disable_telemetry_events()
    with tempfile.TemporaryDirectory(prefix="sightline-int8-") as folder, quiet():
        quantiser = _Quantiser(model, frames, Path(folder))
        return least_float(quantiser.model, quantiser.ranked, drop, most)


class _Quantiser:
    """Candidates of one network. Pictures are looked at once, for the first."""

    def __init__(self, model: "onnx.ModelProto", frames: NDArray[np.float32], folder: Path) -> None:
        self.frames, self.folder = frames, folder
        self.float_path = folder / "float.onnx"
        self.float = _prepared(model, self.float_path)
        self.operations = _operations(self.float)
        self.input_means = _input_means(self.float, self.operations.body, frames)

    def model(self, in_float: Sequence[str]) -> "onnx.ModelProto":
        """The network in int8, but for its head and the layers `in_float`."""
        import onnx
        from onnxruntime.quantization import CalibrationMethod, QuantType, quantize_static

        path = self.folder / "int8.onnx"
        quantize_static(
            self.float_path,
            path,
            _reader(self.frames),
            op_types_to_quantize=[*LAYERS, *HANDED_ON],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[*self.operations.head, *in_float],
            # Percentiles and entropy, whose memory grows with the pictures, were no better: of photographs features
            # were 0.09 apart by entropy, 0.13 by percentile 99.99, 0.09 so (8 bits); of digits 0.05 by all three.
            calibrate_method=CalibrationMethod.MinMax,
            # Not CalibMaxIntermediateOutputs: whenever as many pictures are seen, it forgets them (1.32). Two numbers
            # a tensor and picture are kept.
            extra_options={"TensorQuantOverrides": _seven_bits(self.float)},
            calibration_cache_path=self.folder / "ranges.json",
        )
        found = _corrected(onnx.load(path), self.float, self.input_means)
        self._read_floats(found, in_float)
        _drop_unused_domains(found)
        return found

    def ranked(self, model: "onnx.ModelProto") -> list[tuple[str, ...]]:
        """Layers, the worst first, each with the one that would write int8 values for it to read."""
        return [(layer, *self._writers(layer)) for layer in self.operations.ranked(self._errors(model))]

    def _writers(self, layer: str) -> Iterator[str]:
        """The layer, if any, whose quantised output `layer` reads."""
        by_output = {output: node for node in self.float.graph.node for output in node.output}
        node = next(node for node in self.float.graph.node if node.name == layer)
        while (before := by_output.get(node.input[0])) is not None and before.op_type in HANDED_ON:
            node = before
        if before is not None and before.name in self.operations.body:
            yield before.name

    def _read_floats(self, model: "onnx.ModelProto", in_float: Sequence[str]) -> None:
        """Layers in float read what was not in int8 before.

        A float convolution between a DequantizeLinear and a QuantizeLinear ONNX Runtime takes for one that was
        forgotten, and quantises it itself when it loads the graph (1.32), with one scale for all channels: of the first
        depthwise layer of MobileNetV2 that put logits 15 off, in whose place 0.1 was right.
        """
        read = {node.name: node.input[0] for node in self.float.graph.node if node.input}
        for node in model.graph.node:
            if node.name in in_float and not set(self._writers(node.name)) - set(in_float):
                node.input[0] = read[node.name]

    def _errors(self, model: "onnx.ModelProto") -> dict[str, float]:
        """Layer -> how far what it gives in `model` is from float, over a few pictures."""
        layers = self.operations.body
        axes = {node.name: 1 if node.op_type == "Conv" else -1 for node in self.float.graph.node}
        runs = []
        for network in (model, self.float):  # before activations and before being rounded, for whoever reads it next
            given = {node.name: node.output[0] for node in network.graph.node}
            runs.append(_session(network, [given[layer] for layer in layers]))
        apart = {layer: Apart() for layer in layers}
        for frame in self.frames[:NUM_COMPARED]:
            for layer, found, wanted in zip(layers, *(run(frame) for run in runs), strict=True):
                apart[layer].add(found, wanted, axes[layer])
        return {layer: values.error for layer, values in apart.items()}


def _prepared(model: "onnx.ModelProto", path: Path) -> "onnx.ModelProto":
    """Normalisations folded into convolutions, constants computed, shapes known, each node named; written to `path`."""
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    onnx.save(model, path)  # given as a file: in memory, it would be changed
    quant_pre_process(path, path, skip_symbolic_shape=True)
    prepared = onnx.load(path)
    for i, node in enumerate(prepared.graph.node):
        node.name = node.name or f"int8/{node.op_type}_{i}"
    onnx.save(prepared, path)
    return prepared


def _operations(model: "onnx.ModelProto") -> Operations:
    weights = {tensor.name for tensor in model.graph.initializer}
    readers: dict[str, list[str]] = {node.name: [] for node in model.graph.node}
    by_output = {output: node.name for node in model.graph.node for output in node.output}
    for node in model.graph.node:
        for name in node.input:
            if name in by_output:
                readers[by_output[name]].append(node.name)
    layers = (n.name for n in model.graph.node if n.op_type in LAYERS and n.input[1] in weights)
    return Operations(readers, frozenset(layers))


def _seven_bits(model: "onnx.ModelProto") -> dict[str, list[dict[str, Any]]]:  # as ONNX Runtime wants it
    """Names of the weights that are multiplied in pairs: of all layers but depthwise ones, (O, 1, h, w)."""
    from onnxruntime.quantization import QuantType

    sizes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    overrides = dict[str, list[dict[str, Any]]]()
    for node in model.graph.node:
        if node.op_type not in LAYERS or (shape := sizes.get(node.input[1])) is None:
            continue
        if node.op_type == "Conv" and shape[1] == 1:
            continue
        axis = 0 if node.op_type == "Conv" or _attribute(node, "transB", 0) else len(shape) - 1
        seven = {"quant_type": QuantType.QInt8, "symmetric": True, "reduce_range": True, "axis": axis}
        overrides[node.input[1]] = [seven]
    return overrides


def _input_means(
    model: "onnx.ModelProto", layers: Sequence[str], frames: NDArray[np.float32]
) -> dict[str, NDArray[np.float64]]:
    """Tensor that a convolution reads -> its mean a channel, (C,), over the pictures."""
    import onnx
    from onnx import helper

    probed = onnx.ModelProto()
    probed.CopyFrom(model)
    read = dict.fromkeys(n.input[0] for n in model.graph.node if n.op_type == "Conv" and n.name in layers)
    axes = helper.make_tensor("int8/axes", onnx.TensorProto.INT64, [3], [0, 2, 3])  # (N, C, H, W) -> (C,)
    probed.graph.initializer.append(axes)
    for name in read:
        probed.graph.node.append(helper.make_node("ReduceMean", [name, axes.name], [f"int8/{name}"], keepdims=0))
    if not read:
        return {}
    run = _session(probed, [f"int8/{name}" for name in read])
    sums = [np.zeros(1)] * len(read)
    for frame in frames:
        sums = [total + mean for total, mean in zip(sums, run(frame), strict=True)]
    return {name: total / len(frames) for name, total in zip(read, sums, strict=True)}


def _corrected(
    model: "onnx.ModelProto", original: "onnx.ModelProto", input_means: Mapping[str, NDArray[np.float64]]
) -> "onnx.ModelProto":
    """Biases from which is taken what the rounding of weights adds to the mean of each output channel."""
    from onnx import numpy_helper

    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    floats = {tensor.name: tensor for tensor in original.graph.initializer}
    stored = {n.output[0]: n for n in model.graph.node if n.op_type == "DequantizeLinear"}
    nodes = {node.name: node for node in original.graph.node}
    for node in model.graph.node:
        if node.op_type != "Conv" or len(node.input) < 3 or not {node.input[1], node.input[2]} <= stored.keys():
            continue
        weight, bias = (stored[name].input for name in node.input[1:3])
        rounded, scale, bias_scale = (
            numpy_helper.to_array(tensors[name]) for name in (weight[0], weight[1], bias[1])
        )  # (O, I / groups, h, w), (O,), (O,)
        wanted = numpy_helper.to_array(floats[nodes[node.name].input[1]])
        means, groups = input_means[nodes[node.name].input[0]], _attribute(node, "group", 1)
        shift = added_by_rounding(rounded * scale.reshape(-1, 1, 1, 1), wanted, means, groups)
        numbers = numpy_helper.to_array(tensors[bias[0]]) - np.rint(shift / bias_scale)
        limits = np.iinfo(np.int32)
        numbers = np.clip(numbers, limits.min, limits.max).astype(np.int32)
        tensors[bias[0]].CopyFrom(numpy_helper.from_array(numbers, bias[0]))
    return model


def _drop_unused_domains(model: "onnx.ModelProto") -> None:
    """ONNX Runtime declares all domains that it knows; other readers refuse what they do not know."""
    used = {node.domain for node in model.graph.node}
    kept = [i for i in model.opset_import if i.domain in STANDARD or i.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)


def _reader(frames: NDArray[np.float32]) -> "onnxruntime.quantization.CalibrationDataReader":
    """A picture at a time."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # of a package without types
        def __init__(self) -> None:
            self.left = iter(frames)

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            frame = next(self.left, None)
            return None if frame is None else {FRAMES: frame[None]}

    return Reader()


def _session(
    model: "onnx.ModelProto", outputs: Sequence[str]
) -> Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """One picture (height, width, C) -> the tensors of those names."""
    import onnx
    import onnxruntime

    probed = onnx.ModelProto()
    probed.CopyFrom(model)
    known = {output.name for output in model.graph.output}
    for name in dict.fromkeys(outputs):
        if name not in known:
            probed.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(probed.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    return lambda frame: session.run(list(outputs), {FRAMES: frame[None]})


def _attribute(node: "onnx.NodeProto", name: str, otherwise: int) -> int:
    return next((a.i for a in node.attribute if a.name == name), otherwise)
