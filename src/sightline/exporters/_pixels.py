"""Preprocessing as an ONNX graph, so that an exported network takes pictures of any size.

Comes in: a Preprocessing; goes out: a model of standard operators that does as its `apply`. Must not know networks or
files. OpenVINO computes in int32 and float32 whatever a graph says, and may store floats in half precision: so sizes
are worked out in whole numbers, and the floats among the constants are such that half precision holds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.data.preprocess import LUMA, Preprocessing
from sightline.errors import MissingExtraError

if TYPE_CHECKING:
    import onnx

OPSET, IR_VERSION = 20, 9  # both of ONNX 1.15, which ONNX Runtime reads since 1.17
FLOAT, INT64 = 1, 7  # onnx.TensorProto's numbers for them
# fast_image_resize has weights of 16 bits with their sign, and as many binary places as that allows, 21 at most.
WEIGHT_LIMIT, MAX_PLACES = float(1 << 15), 21
KNOWN_SIDES = 1 << 14  # sides below have the rounding of their scale tabulated: 64 KB for each side of the frame
DRIFT_UNIT = 1 << 20


def from_pixels(preprocessing: Preprocessing) -> "onnx.ModelProto":
    """`pixels` uint8 (N, H, W, C), of any size, C 1 or 3 -> `frames` float32 (N, height, width, channels) 0..255.

    What Preprocessing.apply gives, where fast_image_resize does it: the same sizes while sides are below KNOWN_SIDES
    (above, 1 in 20 of the pictures over twice as long as the frame is cut one pixel off), and of the grey levels all
    but 1 in 10,000, which is 1 off (1 in 10 where a pattern's means end in .5; 2, in 1 of 1,000 pictures enlarged by
    `bicubic`), as float32 rounds otherwise. OpenVINO must compile it with INFERENCE_PRECISION_HINT f32: in bfloat16,
    its choice where the processor has it, half of them are up to 3 off. Raises MissingExtraError.
    """
    try:
        from onnx import TensorProto, helper
    except ImportError as error:
        raise MissingExtraError("sightline export", "onnx", "export") from error
    graph = _Graph()
    graph("Identity", _frames(graph, preprocessing), name="frames")
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ("N", "H", "W", "C"))
    shape = ("N", preprocessing.height, preprocessing.width, preprocessing.channels)
    frames = helper.make_tensor_value_info("frames", TensorProto.FLOAT, shape)
    made = helper.make_graph(graph.nodes, "preprocessing", [pixels], [frames], graph.constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


class _Graph:
    """Nodes, in the order in which they run, and constants. To call it is to add a node."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def __call__(self, operator: str, *operands: "Operand", name: str = "", **attributes: int | list[int]) -> "_Tensor":
        """-> what the node gives. Attributes are those that ONNX has for the operator."""
        from onnx import helper

        name = name or f"{operator.lower()}_{len(self.nodes)}"
        inputs = [operand if isinstance(operand, _Tensor) else self.constant(operand) for operand in operands]
        self.nodes.append(helper.make_node(operator, [tensor.name for tensor in inputs], [name]))
        self.nodes[-1].attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        return _Tensor(self, name)

    def constant(self, value: int | float | NDArray[np.int32 | np.int64]) -> "_Tensor":
        """An int becomes int64 (1,), a float float32 ()."""
        from onnx import numpy_helper

        assert not isinstance(value, float) or np.float16(value) == value, f"{value} is not of half precision"
        values = np.array(value, np.float32) if isinstance(value, float) else np.array(value, ndmin=1)
        self.constants.append(numpy_helper.from_array(values, f"constant_{len(self.constants)}"))
        return _Tensor(self, self.constants[-1].name)


def _adding(operator: str) -> Callable[["_Tensor", "Operand"], "_Tensor"]:
    return lambda tensor, other: tensor.graph(operator, tensor, other)


@dataclass(frozen=True)
class _Tensor:
    """What a node gives. Arithmetic with it adds nodes; constants beside it are of its kind, int or float."""

    graph: _Graph
    name: str

    __add__, __sub__, __mul__, __truediv__ = _adding("Add"), _adding("Sub"), _adding("Mul"), _adding("Div")
    __matmul__, __ge__ = _adding("MatMul"), _adding("GreaterOrEqual")

    def __rsub__(self, other: "Operand") -> "_Tensor":
        return self.graph("Sub", other, self)

    def __floordiv__(self, other: "Operand") -> "_Tensor":
        """Of whole numbers, from 0 up. OpenVINO divides them as float32, and may be one off."""
        near = self / other
        rest = self - near * other
        return near + (rest >= other).whole() + (rest >= 0).whole() - 1

    def floats(self) -> "_Tensor":
        return self.graph("Cast", self, to=FLOAT)

    def whole(self) -> "_Tensor":
        return self.graph("Cast", self, to=INT64)  # towards 0


Operand = _Tensor | int | float | NDArray[np.int32 | np.int64]
Sides = tuple[_Tensor, _Tensor]  # height and width, int64 (1,)


def _frames(graph: _Graph, preprocessing: Preprocessing) -> _Tensor:
    pixels, frame = _Tensor(graph, "pixels"), (preprocessing.height, preprocessing.width)
    whole = graph("Shape", pixels, start=1, end=2), graph("Shape", pixels, start=2, end=3)
    cut, scaled = _sizes(graph, whole, preprocessing)
    weights = [_weights(graph, *lengths, preprocessing.interpolation) for lengths in zip(cut, scaled, strict=True)]
    if preprocessing.fit == "crop":
        for axis in (0, 1):
            pixels = _middle(graph, pixels, whole[axis], cut[axis], axis + 1)
            weights[axis] = _middle(graph, weights[axis], scaled[axis], frame[axis], 0)
    pixels = _grey(graph, pixels.floats()) if preprocessing.channels == 1 else pixels.floats()
    frames = _resized(graph, pixels, *weights)
    if preprocessing.channels == 3:
        frames = graph("Expand", frames, np.array([1, 1, 1, 3]))
    return _padded(graph, frames, scaled, preprocessing) if preprocessing.fit == "pad" else frames


def _sizes(graph: _Graph, sides: Sides, preprocessing: Preprocessing) -> tuple[Sides, Sides]:
    """As Preprocessing._cut and ._inner: the sides of what is scaled, and those that it is scaled to.

    One side sets the scale, of / side: it becomes as long as the frame, and the other is scaled along with it.
    """
    height, width = preprocessing.height, preprocessing.width
    if preprocessing.fit == "squash":
        return sides, (graph.constant(height), graph.constant(width))
    if preprocessing.fit == "crop":
        height, width = round(height / preprocessing.crop_fraction), round(width / preprocessing.crop_fraction)
    upright, lying = sides[0] * width, sides[1] * height
    is_upright = upright >= lying if preprocessing.fit == "pad" else lying >= upright
    (side, other), of = _ordered(is_upright, sides), graph("Where", is_upright, height, width)
    drift = _drift(graph, is_upright, side, (height, width))
    if preprocessing.fit == "pad":
        scaled = graph("Max", _rounded(graph, other * of, side, drift), 1)
        return sides, _ordered(is_upright, (of, scaled))
    most = graph("Where", is_upright, 2 * width, 2 * height)
    needed = (most * side + of - 1) // of
    # Python's ceil gives one more where the quotient is whole, and float64 has it just above.
    above = graph("Max", 0 - _aside(graph, needed.floats(), drift), 0)
    cut = graph("Min", other, needed + above * graph("Equal", needed * of, most * side).whole())
    scaled = graph("Min", most, _rounded(graph, cut * of, side, drift))
    return _ordered(is_upright, (side, cut)), _ordered(is_upright, (of, scaled))


def _ordered(is_upright: _Tensor, pair: Sides) -> Sides:
    """Height and width <-> the side that sets the scale and the other one."""
    return is_upright.graph("Where", is_upright, *pair), is_upright.graph("Where", is_upright, *pair[::-1])


def _drift(graph: _Graph, is_upright: _Tensor, side: _Tensor, frame: tuple[int, int]) -> _Tensor:
    """float32 (1,): by how much float64's scale, frame / side, exceeds the true one, in 2**-53 of it."""
    by_height, by_width = (graph("Gather", _drifts(of), graph("Min", side, KNOWN_SIDES)) for of in frame)
    drift = graph("Where", is_upright, by_height, by_width)
    return drift.floats() / graph.constant(DRIFT_UNIT).floats()


def _drifts(frame: int) -> NDArray[np.int32]:
    """int32 (KNOWN_SIDES + 1,): the drift by the side, in 1 / DRIFT_UNIT; 0 for all sides from the last on.

    A little smaller than it is, lest float32 make it larger: what is off by half a unit is rounded to the true number.
    """
    # Times 2**70 the quotient is a whole number.
    errors = [int(frame / side * 2.0**70) * side - (frame << 70) for side in range(1, KNOWN_SIDES)]
    return np.array([0, *(int(error / (frame << 17) * DRIFT_UNIT * (1 - 1e-5)) for error in errors), 0], np.int32)


def _aside(graph: _Graph, number: _Tensor, drift: _Tensor) -> _Tensor:
    """int64 (1,): whether float64 has a product with the scale above (1) or below (-1) its true value `number`,
    float32 (1,), or there (0). For what is divided by the scale it is the other way round."""
    powers = graph.constant(2 ** np.arange(24)).floats()
    mantissa = number / graph("ReduceMax", graph("Where", number >= powers, powers, 0.5))
    return (mantissa * drift).whole()


def _rounded(graph: _Graph, product: _Tensor, side: _Tensor, drift: _Tensor) -> _Tensor:
    """round(product / side): to even at .5, unless float64 is aside of it."""
    upper = (product * 2 + side) // (side * 2)
    half = upper.floats() - 0.5
    decided = graph("Round", half + _aside(graph, half, drift).floats() * 0.25).whole()
    return graph("Where", graph("Equal", upper * side * 2, product * 2 + side), decided, upper)


def _middle(graph: _Graph, tensor: _Tensor, length: _Tensor, kept: Operand, axis: int) -> _Tensor:
    """The middle of the axis, as centre_crop has it."""
    first = (length - kept) // 2
    return graph("Slice", tensor, first, first + kept, axis)


def _grey(graph: _Graph, pixels: _Tensor) -> _Tensor:
    """(N, H, W, 1 or 3) -> (N, H, W, 1), whole numbers. Sums of LUMA stay below 2**24: exact in float32."""
    luma = graph("Slice", np.array(LUMA)[:, None], 0, graph("Shape", pixels, start=3, end=4)).floats()
    total = graph("ReduceSum", luma)
    return graph("Floor", (pixels @ luma + total * 0.5) / total)


def _weights(graph: _Graph, given: _Tensor, wanted: _Tensor, interpolation: str) -> _Tensor:
    """float32 (wanted, given): what each pixel given counts for each one wanted, a whole number of units 2**-n."""
    ends = [[graph("Squeeze", number) for number in (0, length, 1)] for length in (given, wanted)]
    columns, rows = [graph("Range", *numbers) * 2 + 1 for numbers in ends]  # twice where the pixels' centres are
    # From centre to centre, in pixels of the picture that has the larger ones.
    distance = graph("Unsqueeze", columns * wanted, 0) - graph("Unsqueeze", rows * given, 1)
    distance = graph("Abs", distance).floats() / (graph("Max", given, wanted) * 2).floats()
    heights = graph("Max", 1.0 - distance, 0.0) if interpolation == "bilinear" else _catmull_rom(graph, distance)
    shares = heights / graph("ReduceSum", heights, 1)
    units = graph.constant(2 ** np.arange(MAX_PLACES + 1)).floats()
    is_too_large = graph("ReduceMax", shares) * units + 0.5 >= WEIGHT_LIMIT
    unit = graph("ReduceMax", graph("Where", is_too_large, 1.0, units))
    return graph("Floor", shares * unit + 0.5) / unit


def _catmull_rom(graph: _Graph, distance: _Tensor) -> _Tensor:
    """Keys' cubic with a = -1/2 (IEEE ASSP 29(6), 1981): its inner part, 0 from 1 on, and its outer, 0 but in 1..2."""
    near, far = graph("Min", distance, 1.0), graph("Min", graph("Max", distance, 1.0), 2.0)
    return (1.0 - near) * (near * (1.0 - near * 1.5) + 1.0) + (1.0 - far) * (2.0 - far) * (2.0 - far) * 0.5


def _resized(graph: _Graph, pixels: _Tensor, vertical: _Tensor, horizontal: _Tensor) -> _Tensor:
    """(N, H, W, C), weights (height, H) and (width, W) -> (N, height, width, C), whole numbers 0..255 in between too.

    Columns first, as fast_image_resize does. A side that keeps its length has the identity for weights.
    """
    lengths = [(pixels, 0, 1), (vertical, 0, 1), (pixels, 2, 4)]
    shape = graph("Concat", *(graph("Shape", of, start=start, end=end) for of, start, end in lengths), axis=0)
    lines = vertical @ graph("Reshape", pixels, np.array([0, 0, -1]))  # (N, H, W * C) -> (N, height, W * C)
    planes = graph("Transpose", graph("Reshape", _levels(graph, lines), shape), perm=[0, 3, 1, 2])
    planes = planes @ graph("Transpose", horizontal, perm=[1, 0])  # (N, C, height, W) -> (N, C, height, width)
    return graph("Transpose", _levels(graph, planes), perm=[0, 2, 3, 1])


def _levels(graph: _Graph, values: _Tensor) -> _Tensor:
    return graph("Clip", graph("Floor", values + 0.5), 0.0, 255.0)


def _padded(graph: _Graph, frames: _Tensor, scaled: Sides, preprocessing: Preprocessing) -> _Tensor:
    """The mean colour around what is in the middle."""
    rest = preprocessing.height - scaled[0], preprocessing.width - scaled[1]
    before = [length // 2 for length in rest]
    ends = graph("Concat", *before, *(length - first for length, first in zip(rest, before, strict=True)), axis=0)
    padded = graph("Pad", frames, ends, -1.0, np.array([1, 2]))
    mean = graph.constant(np.array([round(255 * share) for share in preprocessing.mean])).floats()
    return graph("Where", padded >= 0.0, padded, mean)
