"""Int8 is small, answers as float does, keeps in float what it would ruin and no more, and sends and prints nothing."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests.engines.test_openvino import stack_for_signals
from torch import nn

pytest.importorskip("onnxscript")
pytest.importorskip("nncf")

import onnx
import onnxruntime
from onnx import helper, numpy_helper

from sightline import models
from sightline.data.preprocess import Preprocessing
from sightline.engines.openvino import core
from sightline.engines.torch import TorchEngine
from sightline.errors import ExportError, MissingExtraError
from sightline.exporters import _int8_onnx, _int8_openvino
from sightline.exporters._int8 import MAX_ASKED, Apart, Operations, least_float
from sightline.exporters._traced import network_graph
from sightline.run import RunConfig

FRAME = Preprocessing(28, 28, 3, mean=(0.5, 0.25, 0.4), std=(0.5, 1.0, 0.7))
CLASSES = 4
FORMATS = {"onnx": _int8_onnx, "openvino": _int8_openvino}
in_each_format = pytest.mark.parametrize("form", FORMATS)

Floats = NDArray[np.float32]


def pictures_of(count: int, seed: int) -> tuple[Floats, NDArray[np.int64]]:
    """Stripes in four directions, of any phase and colour, noise over them: (count, 28, 28, 3) in 0..255, labels."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % CLASSES
    y, x = np.mgrid[:28, :28]
    angles, phases = labels * np.pi / CLASSES, generator.uniform(0, 2 * np.pi, count)
    along = np.cos(angles)[:, None, None] * x + np.sin(angles)[:, None, None] * y
    waves = np.sin(along + phases[:, None, None])[..., None] * generator.uniform(40, 110, (count, 1, 1, 3))
    noisy = 128 + waves + generator.normal(0, 25, (count, 28, 28, 3))
    return noisy.clip(0, 255).astype(np.float32), labels


def train(network: nn.Module) -> None:
    """A few steps on stripes: enough to tell them apart."""
    frames, labels = pictures_of(256, seed=0)
    scale, shift = (torch.from_numpy(values) for values in FRAME.affine())
    images = torch.from_numpy(frames).permute(0, 3, 1, 2) * scale + shift
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for step in range(40):
        rows = slice(32 * step % 256, 32 * step % 256 + 32)
        loss = nn.functional.cross_entropy(network(images[rows]), torch.from_numpy(labels[rows]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def model_of(form: str, graph: onnx.ModelProto) -> Any:  # of one package or the other
    return graph if form == "onnx" else core().read_model(graph.SerializeToString(), b"")


def answers(form: str, model: Any, frames: Floats) -> tuple[Floats, Floats]:
    """Logits (N, K) and features (N, D)."""
    if form == "onnx":
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        logits, features = session.run(["logits", "features"], {"frames": frames})
        return logits, features
    found = core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([frames])
    return found["logits"].copy(), found["features"].copy()


def sizes_of_weights(form: str, model: Any) -> dict[str, int]:
    """Kind of number -> how many of them the network holds."""
    sizes = dict[str, int]()
    if form == "onnx":
        for tensor in model.graph.initializer:
            kind = onnx.TensorProto.DataType.Name(tensor.data_type).lower()
            sizes[kind] = sizes.get(kind, 0) + int(np.prod(tensor.dims))
        return {"i8": sizes.get("int8", 0), "f32": sizes["float"]}
    for operation in model.get_ops():
        if operation.get_type_name() == "Constant":
            kind = operation.get_element_type().get_type_name()
            sizes[kind] = sizes.get(kind, 0) + int(np.prod(operation.get_output_shape(0)))
    return sizes


class Drop:
    """How far logits are from the float network's, in their deviation; counts how often it was asked."""

    def __init__(self, form: str, model: Any) -> None:
        self.form, self.frames = form, pictures_of(32, seed=2)[0]
        self.wanted, self.found = answers(form, model, self.frames)[0], list[float]()

    def __call__(self, model: Any) -> float:
        apart = answers(self.form, model, self.frames)[0] - self.wanted
        self.found.append(float(np.sqrt(np.square(apart).mean()) / self.wanted.std()))
        return self.found[-1]


def trained(name: str) -> onnx.ModelProto:
    torch.manual_seed(0)
    network = models.build(name, CLASSES, 3, (28, 28), {})
    train(network)
    network = network.eval()
    config = RunConfig(network.architecture, tuple("abcd"), FRAME, network.options, batch_size=4, num_threads=1)
    return network_graph(TorchEngine.build(network, config, torch.device("cpu")))


@pytest.fixture(scope="module")
def graph() -> onnx.ModelProto:
    return trained("simple_cnn")


@in_each_format
def test_it_is_small_and_answers_as_float_does(
    form: str, graph: onnx.ModelProto, capfd: pytest.CaptureFixture[str]
) -> None:
    model = model_of(form, graph)
    before, drop, stack = graph.SerializeToString(deterministic=True), Drop(form, model), stack_for_signals()
    found, kept = FORMATS[form].quantised(model, pictures_of(64, seed=1)[0], drop, 0.3)
    assert kept == () and len(drop.found) == 1
    assert stack_for_signals() == stack
    assert capfd.readouterr() == ("", "")
    assert graph.SerializeToString(deterministic=True) == before

    sizes, floats = sizes_of_weights(form, found), sizes_of_weights(form, model_of(form, graph))["f32"]
    assert sizes["i8"] > 0.9 * floats and sizes["f32"] < 0.2 * floats

    frames, labels = pictures_of(200, seed=3)
    (logits, features), (wanted, wanted_features) = answers(form, found, frames), answers(form, model, frames)
    assert (wanted.argmax(1) == labels).mean() > 0.9  # trained, not any network
    assert (logits.argmax(1) == wanted.argmax(1)).mean() > 0.97
    assert np.abs(logits - wanted).max() < 0.5 * wanted.std()
    assert np.sqrt(np.square(features - wanted_features).mean()) < 0.15 * wanted_features.std()
    assert np.allclose(answers(form, found, frames[:1])[0], logits[:1], atol=0.02 * wanted.std())  # any batch


def graph_of(layers: dict[str, tuple[Floats, Floats, int]], head: Floats) -> onnx.ModelProto:
    """`frames` -> (N, C, H, W), normalised -> convolutions with ReLU -> mean, features (N, D) -> logits (N, K).

    `layers`: name -> weights (O, I / groups, h, w), biases (O,), groups.
    """
    scale, shift = FRAME.affine()
    constants = {"scale": scale, "shift": shift, "head": head}
    nodes = [
        helper.make_node("Transpose", ["frames"], ["channels_first"], "transpose", perm=[0, 3, 1, 2]),
        helper.make_node("Mul", ["channels_first", "scale"], ["scaled"], "scaled"),
        helper.make_node("Add", ["scaled", "shift"], ["images"], "shifted"),
    ]
    given = "images"
    for name, (weights, biases, groups) in layers.items():
        constants |= {f"{name}.weights": weights, f"{name}.biases": biases}
        inputs, side = [given, f"{name}.weights", f"{name}.biases"], weights.shape[2] // 2
        nodes.append(helper.make_node("Conv", inputs, [f"{name}.sums"], name, group=groups, pads=[side] * 4))
        nodes.append(helper.make_node("Relu", [f"{name}.sums"], [given := f"{name}.relu"], given))
    nodes += [
        helper.make_node("GlobalAveragePool", [given], ["pooled"], "pool"),
        helper.make_node("Flatten", ["pooled"], ["features"], "flatten"),
        helper.make_node("Gemm", ["features", "head"], ["logits"], "head", transB=1),
    ]
    floats, (num_classes, num_features) = onnx.TensorProto.FLOAT, head.shape
    outputs = {"logits": num_classes, "features": num_features}
    graph = helper.make_graph(
        nodes, "small", [helper.make_tensor_value_info("frames", floats, ["n", 28, 28, 3])],
        [helper.make_tensor_value_info(name, floats, ["n", size]) for name, size in outputs.items()],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def test_what_surrounds_attention_stays_in_float() -> None:
    """All of it in int8, logits were 0.07 deviations apart, and a ViT of digits lost eight points."""
    model = model_of("openvino", trained("vit_tiny_patch16_224"))
    drop = Drop("openvino", model)
    found, kept = _int8_openvino.quantised(model, pictures_of(64, seed=1)[0], drop, 0.03)
    assert kept == () and len(drop.found) == 1
    sizes = sizes_of_weights("openvino", found)
    assert sizes["f32"] < 0.02 * sizes["i8"]


@pytest.fixture(scope="module")
def uneven() -> onnx.ModelProto:
    """A depthwise layer fed by a channel 10,000 times as large as the others, which nobody reads afterwards."""
    torch.manual_seed(0)
    layers = {
        "stem": nn.Conv2d(3, 8, 3, padding=1), "depthwise": nn.Conv2d(8, 8, 3, padding=1, groups=8),
        "middle": nn.Conv2d(8, 24, 1), "late": nn.Conv2d(24, 24, 3, padding=1), "last": nn.Conv2d(24, 24, 1),
    }  # fmt: skip
    body = [module for layer in layers.values() for module in (layer, nn.ReLU())]
    train(nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head := nn.Linear(24, CLASSES, bias=False)))
    with torch.no_grad():
        layers["stem"].weight[0] *= 1e4
        layers["stem"].bias[0] = 1e4
        layers["depthwise"].weight[0] /= 1e4
        layers["middle"].weight[:, 0] = 0
    weights = {
        name: (layer.weight.detach().numpy(), layer.bias.detach().numpy(), layer.groups)
        for name, layer in layers.items()
    }
    return graph_of(weights, head.weight.detach().numpy())


@in_each_format
def test_what_int8_ruins_stays_in_float(form: str, uneven: onnx.ModelProto) -> None:
    model, frames = model_of(form, uneven), pictures_of(64, seed=1)[0]
    drop = Drop(form, model)
    found, kept = FORMATS[form].quantised(model, frames, drop, 0.1)
    assert drop.found[0] > 0.3, "nothing was ruined: the network does not test what it should"
    assert drop(found) <= 0.1 and len(drop.found) <= MAX_ASKED
    assert {name.split("/")[0] for name in kept} == {"stem", "depthwise"}
    sizes = sizes_of_weights(form, found)
    assert sizes["i8"] > 24 * 24 * 9  # the others are in int8


@in_each_format
def test_what_cannot_be_reached_is_said(form: str, uneven: onnx.ModelProto) -> None:
    model = model_of(form, uneven)
    drop = Drop(form, model)
    with pytest.raises(
        ExportError, match=r"worse .* by \d\.\d+, with [23] of 5 layers .*; -1 is allowed: .*--accept-drop"
    ):
        FORMATS[form].quantised(model, pictures_of(16, seed=1)[0], drop, -1)
    assert len(drop.found) <= 4


@in_each_format
def test_what_rounding_adds_to_a_mean_is_taken_out_again(form: str) -> None:
    """63 weights of 64 are less than half a step: rounded they are gone, and with them that much of the mean."""
    wide, weights = np.zeros((64, 3, 1, 1), np.float32), np.full((4, 64, 1, 1), 0.45 / 127, np.float32)
    wide[:, 0] = weights[:, 0] = 1.0
    layers = {
        "wide": (wide, np.full(64, 3, np.float32), 1),
        "narrow": (weights, np.zeros(4, np.float32), 1),
        "depthwise": (weights[:, :1], np.zeros(4, np.float32), 4),
    }
    model, frames = model_of(form, graph_of(layers, np.eye(4, dtype=np.float32))), pictures_of(64, seed=1)[0]
    found, _ = FORMATS[form].quantised(model, frames, lambda model: 0.0, 0.0)
    wanted = answers(form, model, frames)[1].mean(0)
    lost = 63 * 0.45 / 127 * wanted[0] / (1 + 63 * 0.45 / 127)
    assert lost > 0.5
    assert np.abs(answers(form, found, frames)[1].mean(0) - wanted).max() < 0.1 * lost


def test_pairs_of_products_fit_16_bits(uneven: onnx.ModelProto) -> None:
    """As old processors sum them: dense weights have 7 bits; depthwise ones, which they do not pair, all 8."""
    found, _ = _int8_onnx.quantised(uneven, pictures_of(16, seed=1)[0], lambda model: 0.0, 0.0)
    for tensor in found.graph.initializer:
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) == 4:
            greatest = np.abs(numpy_helper.to_array(tensor).astype(int)).max()
            assert greatest == (127 if tensor.dims[1] == 1 else 64)
            assert tensor.dims[1] == 1 or 2 * 255 * greatest < 2**15
    assert {node.domain for node in found.graph.node} == {""} and [o.domain for o in found.opset_import] == [""]


def test_layers_come_with_those_that_have_to_be_in_float_with_them() -> None:
    units = [("b", "a"), ("a",), ("c", "b"), ("d",), ("e",), ("f",)]
    model, kept = least_float(lambda in_float: in_float, lambda _: units, lambda model: float("c" not in model), 0.5)
    assert model == kept == ("b", "a", "c")


def test_no_layer_in_float_is_quantised_by_the_runtime(uneven: onnx.ModelProto, tmp_path: Path) -> None:
    """As ONNX Runtime does, when it optimises, with float convolutions between int8 ones."""
    frames = pictures_of(16, seed=1)[0]
    quantiser = _int8_onnx._Quantiser(uneven, frames, tmp_path)
    whole = quantiser.model(())
    asked = onnxruntime.SessionOptions()
    asked.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    units = quantiser.ranked(whole)
    assert sorted(layers[0] for layers in units) == sorted(quantiser.operations.body)
    for layers in units:
        model = quantiser.model(layers).SerializeToString()
        (wanted,), (found,) = (
            onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
            .run(["logits"], {"frames": frames})
            for settings in (asked, None)
        )  # fmt: skip
        assert np.abs(found - wanted).max() < 0.02 * wanted.std(), layers


# stem -> a -> b -> sum -> pool -> features -> head; a and stem's statistics are read by a second head
DRAWN = Operations(
    {
        "scale": ["stem"], "stem": ["a", "sum", "statistics"], "statistics": ["second"], "a": ["relu"], "relu": ["b"],
        "b": ["sum"], "sum": ["pool"], "pool": ["head"], "head": ["logits"], "second": ["logits"], "logits": [],
    },
    frozenset({"stem", "a", "b", "head", "second"}),
)  # fmt: skip


def test_the_head_is_what_leads_to_no_other_layer() -> None:
    assert DRAWN.head == {"statistics", "sum", "pool", "head", "second", "logits"}
    assert DRAWN.body == ("stem", "a", "b")
    assert DRAWN.feeders["b"] == {"a"} and DRAWN.feeders["head"] == {"stem", "b"} and DRAWN.feeders["stem"] == set()
    with pytest.raises(ExportError, match="no layers but its last"):
        _ = Operations({"only": []}, frozenset({"only"})).body


def test_the_worst_layer_is_that_at_which_the_error_grows_most() -> None:
    assert DRAWN.ranked({"stem": 0.01, "a": 0.5, "b": 0.6}) == ["a", "b", "stem"]
    apart = Apart()
    wanted = np.array([[0, 2], [0, 2000], [7, 7], [0, 0.02]], np.float32)  # variances 1, 1e6, 0, 1e-4
    apart.add(wanted + np.array([[0.5], [500], [9], [0.5]], np.float32), wanted, axis=0)
    assert apart.error == pytest.approx((0.25 + 0.25 + 1) / 3)
    assert Apart().error == 0.0


@pytest.mark.parametrize(("num_layers", "needed"), [(5, 1), (54, 1), (54, 3), (54, 27), (82, 37), (300, 150), (2, 1)])
def test_few_layers_in_float_and_few_questions(num_layers: int, needed: int) -> None:
    layers, asked = [str(i) for i in range(num_layers)], list[int]()

    def drop(in_float: Sequence[str]) -> float:
        asked.append(len(in_float))
        return 0.0 if len(in_float) >= needed else 1.0

    model, kept = least_float(lambda in_float: in_float, lambda model: [(layer,) for layer in layers], drop, 0.5)
    assert model == kept == tuple(layers[: len(kept)])
    assert needed <= len(kept) <= (needed if num_layers < 100 else num_layers // 2)
    assert len(asked) <= MAX_ASKED


def test_where_half_of_the_layers_do_not_suffice() -> None:
    units, asked = [(str(i),) for i in range(54)], list[int]()
    with pytest.raises(
        ExportError, match=r"by 0\.9, with 27 of 54 layers kept in float \(0, 1, 2, 3, 4, \.\.\.\) by 0\.9"
    ):
        least_float(lambda in_float: in_float, lambda _: units, lambda m: asked.append(len(m)) or 0.9, 0.005)  # type: ignore[func-returns-value]
    assert asked == [0, 1, 2, 4, 8, 16, 27]
    with pytest.raises(ExportError, match=r"by 0\.9; 0\.005 is allowed"):
        least_float(lambda in_float: in_float, lambda _: [("one",)], lambda _: 0.9, 0.005)


@pytest.mark.parametrize(
    ("module", "missing", "call"),
    [
        ("onnxruntime", "onnxruntime", lambda: _int8_onnx.quantised(onnx.ModelProto(), np.zeros(0), float, 0.0)),
        ("nncf", "nncf", _int8_openvino.package),
    ],
)
def test_a_package_that_is_not_there(
    module: str, missing: str, call: Callable[[], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf'{missing}: pip install "sightline\[export\]"'):
        call()


def test_its_makers_are_told_nothing(tmp_path: Path) -> None:
    """What would report finds no package to report by, and leaves no identity in the user's folder."""
    code = (
        "import sys; from sightline.exporters._int8_openvino import package; package()\n"
        "from nncf.telemetry import telemetry\n"
        "print(type(telemetry).__name__, 'openvino_telemetry' in sys.modules)"
    )
    environment = {"HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout == "MagicMock False\n", done.stderr
    assert not any("intel" in path.name for path in tmp_path.iterdir())
