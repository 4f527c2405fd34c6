"""Preprocessing as an ONNX graph, in both engines, held against Preprocessing itself."""

import random
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from sightline.data.preprocess import Pixels, Preprocessing
from sightline.engines.openvino import core, package
from sightline.errors import MissingExtraError
from sightline.exporters._pixels import KNOWN_SIDES, _Graph, _sizes, _Tensor, from_pixels

ENGINES = ["onnxruntime", "openvino"]
FITS = ["crop", "pad", "squash"]
INTERPOLATIONS = ["bilinear", "bicubic"]
FRAME = (32, 48)
# Smaller than the frame, of its size, larger, with odd sides, and long.
SHAPES = [(20, 30), FRAME, (96, 144), (61, 83), (201, 118), (20, 1000), (1, 1), (1, 300), (300, 1)]

Run = Callable[[dict[str, np.ndarray]], np.ndarray]
every_engine = pytest.mark.parametrize("engine", ENGINES)


def run_by(model: onnx.ModelProto, engine: str) -> Run:
    """A model of one output."""
    if engine == "openvino":
        return compiled(model.SerializeToString())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda given: session.run(None, given)[0]


def compiled(model: bytes | Path) -> Run:
    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    whole = core().compile_model(core().read_model(model), "CPU", settings)
    return lambda given: whole(given)[0].copy()


@cache
def frames_by(preprocessing: Preprocessing, engine: str) -> Run:
    return run_by(from_pixels(preprocessing), engine)


def noise(height: int, width: int, channels: int, num_pictures: int = 1) -> Pixels:
    shape = (num_pictures, height, width, channels)
    return np.random.default_rng(height * width).integers(0, 256, shape, dtype=np.uint8)


def differences(preprocessing: Preprocessing, engine: str, pictures: Pixels) -> np.ndarray:
    frames = frames_by(preprocessing, engine)({"pixels": pictures})
    expected = np.stack([preprocessing.apply(picture) for picture in pictures])
    assert frames.dtype == np.float32 and frames.shape == expected.shape
    return np.abs(frames - expected)


def preprocessing_to(fit: str, interpolation: str = "bilinear", channels: int = 3) -> Preprocessing:
    return Preprocessing(*FRAME, channels, fit, interpolation=interpolation, mean=(0.2, 0.4, 0.6)[:channels])


@every_engine
@pytest.mark.parametrize(
    "preprocessing",
    [
        *(preprocessing_to(*which) for which in product(FITS, INTERPOLATIONS, (1, 3))),
        *(replace(preprocessing_to("crop", interpolation), crop_fraction=0.875) for interpolation in INTERPOLATIONS),
    ],
    ids=lambda to: f"{to.fit} {to.crop_fraction} {to.interpolation} {to.channels}",
)
def test_frames_are_those_of_preprocessing(preprocessing: Preprocessing, engine: str) -> None:
    pictures = [noise(*shape, channels, num_pictures=2) for shape in SHAPES for channels in (1, 3)]
    found = np.concatenate([differences(preprocessing, engine, batch) for batch in pictures])
    assert found.max() <= 1
    assert (found > 0).mean() < 1e-4


@every_engine
@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_a_picture_of_the_right_size_is_untouched(fit: str, interpolation: str, engine: str) -> None:
    pictures = noise(*FRAME, 3, num_pictures=3)
    frames = frames_by(preprocessing_to(fit, interpolation), engine)({"pixels": pictures})
    assert np.array_equal(frames, pictures)


@every_engine
def test_a_line_by_hand(engine: str) -> None:
    """New centres at 0.25, 0.75, 1.25 and 1.75 of two pixels."""
    line = np.array([[[[0], [255]]]], np.uint8)
    frames = frames_by(Preprocessing(1, 4, 1, "squash"), engine)({"pixels": line})
    assert frames[0, 0, :, 0].tolist() == [0, 64, 191, 255]  # 0, 255 / 4 = 63.75, 191.25, 255


@every_engine
def test_grey_and_colour_turn_into_each_other(engine: str) -> None:
    to_grey, to_colour = preprocessing_to("crop", channels=1), preprocessing_to("crop")
    colours = noise(*FRAME, 3)
    colours[0, 0, 0] = (0, 100, 0)
    assert frames_by(to_grey, engine)({"pixels": colours})[0, 0, 0] == 59  # 0.587 of green, ITU-R 601
    assert not differences(to_grey, engine, colours).any()
    shades = np.arange(6 * 256).astype(np.uint8).reshape(1, *FRAME, 1)
    assert np.array_equal(frames_by(to_grey, engine)({"pixels": shades}), shades)
    assert np.array_equal(frames_by(to_colour, engine)({"pixels": shades}), np.repeat(shades, 3, axis=3))


@every_engine
def test_pad_fills_with_the_mean_colour(engine: str) -> None:
    frame = frames_by(preprocessing_to("pad"), engine)({"pixels": np.full((1, 10, 96, 1), 200, np.uint8)})[0]
    assert (frame[13:18] == 200).all()  # 96 -> 48 wide, so 10 -> 5 high, at rows 13 to 17
    assert (frame[:13] == [51, 102, 153]).all() and (frame[18:] == [51, 102, 153]).all()


@every_engine
def test_a_camera_picture(engine: str) -> None:
    found = differences(Preprocessing(), engine, noise(3000, 4000, 3))
    assert found.max() <= 1
    assert (found > 0).mean() < 1e-3  # float32 is less exact in sums of many pixels


def sizes_by(preprocessing: Preprocessing, engine: str) -> Run:
    """`height` and `width` -> the sides that are scaled, and those that they are scaled to."""
    graph = _Graph()
    cut, scaled = _sizes(graph, (_Tensor(graph, "height"), _Tensor(graph, "width")), preprocessing)
    graph("Concat", *cut, *scaled, axis=0, name="sizes")
    sides = [helper.make_tensor_value_info(name, TensorProto.INT64, [1]) for name in ("height", "width")]
    sizes = helper.make_tensor_value_info("sizes", TensorProto.INT64, [4])
    made = helper.make_graph(graph.nodes, "sizes", sides, [sizes], graph.constants)
    return run_by(helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), engine)


def expected_sizes(preprocessing: Preprocessing, height: int, width: int) -> list[int]:
    if preprocessing.fit == "pad":
        return [height, width, *preprocessing._inner(height, width)[0]]
    cut, scaled = preprocessing._cut(height, width)
    return [*cut, *scaled]


def sides_of_pictures(num_pictures: int) -> list[tuple[int, int]]:
    """Any, long ones, and such as are scaled to half pixels, upright and lying."""
    choose = random.Random(0)
    found = []
    for _ in range(num_pictures):
        side = choose.randint(1, 3000)
        found += [(side, choose.randint(1, 5000)), (side, side * choose.randint(2, 6) + choose.randint(0, 9))]
        side = choose.randint(1, 60)
        found.append((64 * side, choose.randint(1, 200) * side))
        found.append((choose.randint(1, KNOWN_SIDES - 1), choose.randint(1, 70_000)))
    found += [(96, 1536), (192, 3072), (44, 2816)]  # where float64 is off by half a unit, which counts as not
    # Scaled to 2**-24 less than half a pixel, or so: float32 has the half.
    found += [(side, pow(896, -1, side) * (side // 2) % side + side) for side in range(9001, 12001, 100) if side % 7]
    return found + [(width, height) for height, width in found]


@every_engine
@pytest.mark.parametrize(
    "preprocessing", [Preprocessing(896, 896), Preprocessing(96, 200, fit="pad")], ids=["crop", "pad"]
)
def test_sizes_are_to_the_pixel(preprocessing: Preprocessing, engine: str) -> None:
    run, sides = sizes_by(preprocessing, engine), sides_of_pictures(150)
    found = [run({"height": np.array([height]), "width": np.array([width])}).tolist() for height, width in sides]
    assert found == [expected_sizes(preprocessing, height, width) for height, width in sides]


def test_openvinos_files_in_half_precision_change_nothing(tmp_path: Path) -> None:
    openvino, path = package(), tmp_path / "pixels.xml"
    preprocessing = preprocessing_to("crop", "bicubic", channels=1)
    model = core().read_model(from_pixels(preprocessing).SerializeToString())
    openvino.save_model(model, str(path), compress_to_fp16=True)
    stored, whole = compiled(path), frames_by(preprocessing, "openvino")
    for shape in ((61, 83), (20, 1000), (201, 118)):
        pictures = {"pixels": noise(*shape, 3)}
        assert np.array_equal(stored(pictures), whole(pictures))


def test_standard_operators_alone() -> None:
    model = from_pixels(Preprocessing(*FRAME, fit="pad", interpolation="bicubic"))
    onnx.checker.check_model(model, full_check=True)
    assert {(imported.domain, imported.version) for imported in model.opset_import} == {("", 20)}
    assert {node.domain for node in model.graph.node} == {""}
    assert not {"If", "Loop", "Scan"} & {node.op_type for node in model.graph.node}
    used = {name for node in model.graph.node for name in node.input}
    assert {tensor.name for tensor in model.graph.initializer} <= used


def test_without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r'onnx: pip install "sightline\[export\]"'):
        from_pixels(Preprocessing())
