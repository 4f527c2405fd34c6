"""An OpenVINO network -> the same in int8, as NNCF quantises it.

Comes in: a float network, pictures, and what tells how much worse a candidate answers; goes out: the int8 network.

Weights are signed, a scale a channel; activations a scale a tensor. NNCF would report to its makers through a package
that OpenVINO installs; here it is imported without.

Must not know networks' names, runs or the terminal.
"""

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline.engines import openvino as engine
from sightline.exporters._int8 import NUM_COMPARED, Apart, Operations, added_by_rounding, least_float, quiet

if TYPE_CHECKING:
    from types import ModuleType

    import openvino

CONVOLUTIONS = ("Convolution", "GroupConvolution")
LAYERS = (*CONVOLUTIONS, "MatMul")
# What is negative here and there: with any of them activations have a zero point, otherwise none.
SIGNED = ("Sigmoid", "Swish", "Gelu", "HSwish", "Mish", "Elu", "PRelu", "Tanh")
ATTENTION = ("Softmax", "ScaledDotProductAttention")  # NNCF leaves some of what is around it in float, if told
FRAMES = "frames"


def quantised(
    model: "openvino.Model",
    frames: NDArray[np.float32],
    drop: Callable[["openvino.Model"], float],
    most: float,
) -> tuple["openvino.Model", tuple[str, ...]]:
    """A float network -> its int8 one, and the names of the layers that had to stay in float; `model` stays as it is.

    model    `frames` float32 (N, height, width, C) 0..255 -> `logits` (N, K), and others
    frames   (n, height, width, C): training pictures, some 300, by which ranges are found
    drop     how much worse than the float network a candidate answers; asked a dozen times at most
    most     what `drop` may be

    Raises ExportError where that is not reached, MissingExtraError without NNCF.
    """
    package()
    operations = _operations(model)
    input_means = _input_means(model, operations.body, frames)

    def made(in_float: Sequence[str]) -> "openvino.Model":
        found = _int8(model, frames, [*operations.head, *in_float])
        return _corrected(found, model, {name: input_means[name] for name in input_means.keys() - set(in_float)})

    def ranked(found: "openvino.Model") -> list[tuple[str]]:
        errors = _errors(found, model, operations.body, frames[:NUM_COMPARED])
        return [(layer,) for layer in operations.ranked(errors)]

    return least_float(made, ranked, drop, most)


def package() -> "ModuleType":
    """NNCF, imported without what reports to its makers. Raises MissingExtraError where it is not installed."""
    engine.package()
    with _silent():
        return engine.without_telemetry("nncf", "int8 of OpenVINO", "export")


def _int8(model: "openvino.Model", frames: NDArray[np.float32], in_float: Sequence[str]) -> "openvino.Model":
    nncf = package()
    kinds = {operation.get_type_name() for operation in model.get_ops()}
    signed, attends = not kinds.isdisjoint(SIGNED), not kinds.isdisjoint(ATTENTION)
    with _silent():
        return nncf.quantize(
            model.clone(),
            nncf.Dataset(frames, lambda frame: {FRAMES: frame[None]}),
            subset_size=len(frames),
            preset=nncf.QuantizationPreset.MIXED if signed else nncf.QuantizationPreset.PERFORMANCE,
            target_device=nncf.TargetDevice.CPU,
            model_type=nncf.ModelType.TRANSFORMER if attends else None,
            # From the least value to the greatest, over all pictures. NNCF's own choice, the mean of each picture's,
            # cuts off more than it gains: logits were 0.27 standard deviations apart on photographs of rubbish, 0.18
            # so; 0.24 and 0.07 on insects; 0.12 and 0.03 by a plain network on traffic signs.
            advanced_parameters=_parameters(),
            ignored_scope=nncf.IgnoredScope(names=list(in_float), validate=False),  # not each is in its graph
        )


def _parameters() -> Any:
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    return AdvancedQuantizationParameters(
        # It finds no bias in graphs that were read from ONNX, where shapes are given to biases by operations. Where it
        # does, with some layers of MobileNetV2 in float, answers were worse by four points.
        disable_bias_correction=True,
        activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX,
    )


def _input_means(
    model: "openvino.Model", layers: Sequence[str], frames: NDArray[np.float32]
) -> dict[str, NDArray[np.float64]]:
    """Convolution -> the mean a channel of what it reads, (I,), over the pictures."""
    from openvino import opset13

    probed = model.clone()
    convolutions = [node for node in _named(probed, layers) if node.get_type_name() in CONVOLUTIONS]
    means = [opset13.reduce_mean(node.input_value(0), np.array([0, 2, 3])) for node in convolutions]
    sums = [np.zeros(1)] * len(means)
    for values in _values(probed, [node.output(0) for node in means], frames):
        sums = [total + mean for total, mean in zip(sums, values, strict=True)]
    names = (node.get_friendly_name() for node in convolutions)
    return {name: total / len(frames) for name, total in zip(names, sums, strict=True)}


def _corrected(
    found: "openvino.Model", original: "openvino.Model", input_means: Mapping[str, NDArray[np.float64]]
) -> "openvino.Model":
    """`found`, after each convolution what the rounding of its weights adds to the mean of each channel taken out.

    It is one sum of constants with the bias when the engine compiles the graph.
    """
    from openvino import opset13

    names = list(input_means)
    if not names:
        return found
    layers = _named(found, names)
    pairs = zip(_weights(layers), _weights(_named(original, names)), strict=True)
    for layer, means, (rounded, wanted) in zip(layers, input_means.values(), pairs, strict=True):
        num_groups = wanted.shape[0] if layer.get_type_name() == "GroupConvolution" else 1
        kernel = wanted.shape[-3:]
        added = added_by_rounding(rounded.reshape(-1, *kernel), wanted.reshape(-1, *kernel), means, num_groups)
        readers = layer.output(0).get_target_inputs()
        less = opset13.subtract(layer.output(0), added.reshape(1, -1, 1, 1).astype(np.float32))
        for reader in readers:
            reader.replace_source_output(less.output(0))
    return found


def _named(model: "openvino.Model", names: Sequence[str]) -> list["openvino.Node"]:
    by_name = {operation.get_friendly_name(): operation for operation in model.get_ops()}
    return [by_name[name] for name in names]


def _weights(layers: Sequence["openvino.Node"]) -> list[NDArray[np.float32]]:
    """As the layers read them, computed from what is stored."""
    weights = engine.package().Model([layer.input_value(1) for layer in layers], [], "weights")
    given = _compiled(weights)([])
    return [given[i] for i in range(len(layers))]


def _operations(model: "openvino.Model") -> Operations:
    readers, layers = dict[str, list[str]](), list[str]()
    for operation in model.get_ordered_ops():
        kind, name = operation.get_type_name(), operation.get_friendly_name()
        if kind in ("Parameter", "Result", "Constant"):
            continue
        targets = (target.get_node() for output in operation.outputs() for target in output.get_target_inputs())
        readers[name] = [node.get_friendly_name() for node in targets if node.get_type_name() != "Result"]
        if kind in LAYERS and _is_constant(operation.input_value(1).get_node()):
            layers.append(name)
    return Operations(readers, frozenset(layers))


def _is_constant(node: "openvino.Node") -> bool:
    """Whether it is computed from constants alone, such as weights stored in half precision."""
    if node.get_type_name() in ("Constant", "Parameter"):
        return bool(node.get_type_name() == "Constant")
    return all(_is_constant(value.get_node()) for value in node.input_values())


def _errors(
    found: "openvino.Model", wanted: "openvino.Model", layers: Sequence[str], frames: NDArray[np.float32]
) -> dict[str, float]:
    """Layer -> how far what it gives in `found` is from `wanted`, its bias added."""
    apart, kinds = [Apart() for _ in layers], [node.get_type_name() for node in _named(wanted, layers)]
    axes = [-1 if kind == "MatMul" else 1 for kind in kinds]
    runs = []
    for model in (found.clone(), wanted.clone()):
        given = [_with_bias(node).output(0) for node in _named(model, layers)]
        runs.append(_values(model, given, frames))
    for ours, theirs in zip(*runs, strict=True):
        for values, one, other, axis in zip(apart, ours, theirs, axes, strict=True):
            values.add(one, other, axis)
    return {layer: values.error for layer, values in zip(layers, apart, strict=True)}


def _with_bias(layer: "openvino.Node") -> "openvino.Node":
    """What a layer gives when its correction is taken out and its bias added, or the layer, where it has neither."""
    targets = [target.get_node() for target in layer.output(0).get_target_inputs()]
    if len(targets) != 1 or targets[0].get_type_name() not in ("Add", "Subtract"):
        return layer
    constant = any(_is_constant(value.get_node()) for value in targets[0].input_values())
    return _with_bias(targets[0]) if constant else layer


def _values(
    model: "openvino.Model", outputs: Sequence["openvino.Output"], frames: NDArray[np.float32]
) -> Iterator[list[NDArray[np.float32]]]:
    """What those outputs give, which become the model's, a picture at a time."""
    num_known = len(model.outputs)
    model.add_outputs(outputs)
    compiled = _compiled(model)
    for frame in frames:
        given = compiled([frame[None]])
        yield [given[i] for i in range(num_known, num_known + len(outputs))]


def _compiled(model: "openvino.Model") -> Any:
    return engine.core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """NNCF prints log lines and draws bars on the terminal, and warns of what its own dependencies do."""
    with quiet(), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
