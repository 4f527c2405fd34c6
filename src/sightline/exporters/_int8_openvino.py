"""An OpenVINO network -> the same in int8, as NNCF quantises it.

Comes in: a float network, pictures, and what tells how much worse a candidate answers; goes out: the int8 network.

Weights are signed, a scale a channel; activations a scale a tensor. NNCF would report to its makers through a package
that OpenVINO installs; here it is imported without.

Must not know networks' names, runs or the terminal.
"""

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline.engines import openvino as engine
from sightline.exporters._int8 import NUM_COMPARED, Apart, Operations, least_float, quiet

if TYPE_CHECKING:
    from types import ModuleType

    import openvino

LAYERS = ("Convolution", "GroupConvolution", "MatMul")
# What is negative here and there: with any of them activations have a zero point, otherwise none.
SIGNED = ("Sigmoid", "Swish", "Gelu", "HSwish", "Mish", "Elu", "PRelu", "Tanh")
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

    def made(in_float: Sequence[str]) -> "openvino.Model":
        return _int8(model, frames, [*operations.head, *in_float])

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
    signed = any(operation.get_type_name() in SIGNED for operation in model.get_ops())
    with _silent():
        return nncf.quantize(
            model.clone(),
            nncf.Dataset(frames, lambda frame: {FRAMES: frame[None]}),
            subset_size=len(frames),
            preset=nncf.QuantizationPreset.MIXED if signed else nncf.QuantizationPreset.PERFORMANCE,
            target_device=nncf.TargetDevice.CPU,
            # The slow one gave the same networks, bit for bit, on MobileNetV2 and on a plain one.
            fast_bias_correction=True,
            # From the least value to the greatest, over all pictures. NNCF's own choice, the mean of each picture's,
            # cuts off more than it gains: logits were 0.27 standard deviations apart on photographs of rubbish, 0.18
            # so; 0.24 and 0.07 on insects; 0.12 and 0.03 by a plain network on traffic signs.
            advanced_parameters=_whole_ranges(),
            ignored_scope=nncf.IgnoredScope(names=list(in_float), validate=False),  # not each is in its graph
        )


def _whole_ranges() -> Any:
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    return AdvancedQuantizationParameters(activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX)


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
    by_name = {operation.get_friendly_name(): operation for operation in wanted.get_ops()}
    given = [_with_bias(by_name[layer]).get_friendly_name() for layer in layers]
    apart = [Apart() for _ in layers]
    axes = [-1 if by_name[layer].get_type_name() == "MatMul" else 1 for layer in layers]
    for ours, theirs in zip(_values(found, given, frames), _values(wanted, given, frames), strict=True):
        for values, one, other, axis in zip(apart, ours, theirs, axes, strict=True):
            values.add(one, other, axis)
    return {layer: values.error for layer, values in zip(layers, apart, strict=True)}


def _with_bias(layer: "openvino.Node") -> "openvino.Node":
    """The sum of a layer and its bias, or the layer, where it has none."""
    targets = [target.get_node() for target in layer.output(0).get_target_inputs()]
    if len(targets) == 1 and targets[0].get_type_name() == "Add":
        return targets[0]
    return layer


def _values(
    model: "openvino.Model", names: Sequence[str], frames: NDArray[np.float32]
) -> Iterator[list[NDArray[np.float32]]]:
    """What the operations of those names give, a picture at a time."""
    package()
    probed = model.clone()
    by_name = {operation.get_friendly_name(): operation for operation in probed.get_ops()}
    num_known = len(probed.outputs)
    probed.add_outputs([by_name[name].output(0) for name in names])
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = engine.package().Core().compile_model(probed, "CPU", settings)
    for frame in frames:
        given = compiled([frame[None]])
        yield [given[i] for i in range(num_known, num_known + len(names))]


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """NNCF prints log lines and draws bars on the terminal, and warns of what its own dependencies do."""
    with quiet(), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
