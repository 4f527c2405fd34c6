"""A faster gradient of the filters of convolutions over narrow maps, for processors that multiply in tiles (AMX).

Comes in: a network's convolutions, while the mode is entered; goes out: the same, whose backward pass lays several
pictures of the batch side by side, with columns of zeros between them. oneDNN sums along a map's rows, in tiles of 32
pixels: of a map of 7, more than three quarters of each tile are empty. What is summed is the same, in another order.
Must not know networks.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode

NARROW = 16  # pixels of the map that comes out; wider ones gain nothing
ROW = 64  # pixels, to which rows are brought

Pair = tuple[int, int]


class SideBySide(TorchFunctionMode):
    """While it is entered, convolutions that gain by it have the gradient of their filters computed so."""

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:  # Any: whatever torch's functions take and give
        return (_convolved if func is torch.conv2d else func)(*args, **(kwargs or {}))


def _convolved(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """torch.conv2d."""
    if isinstance(padding, str) or groups > 1 or _pair(dilation) != (1, 1) or not _gains(x, weight, stride, padding):
        return torch.conv2d(x, weight, bias, stride, padding, dilation, groups)
    if torch.is_autocast_enabled(x.device.type):
        low = torch.get_autocast_dtype(x.device.type)
        x, weight, bias = x.to(low), weight.to(low), None if bias is None else bias.to(low)
    found: Tensor = _Convolution.apply(x, weight, bias, _pair(stride), _pair(padding))
    return found


def _gains(x: Tensor, weight: Tensor, stride: int | Sequence[int], padding: int | Sequence[int]) -> bool:
    """Whether the map that comes out is narrow, and rows of pictures side by side give maps side by side."""
    if not (torch.is_grad_enabled() and weight.requires_grad and x.ndim == 4):
        return False
    (height, width), (_, step), (_, border) = weight.shape[2:], _pair(stride), _pair(padding)
    keeps_place = width % 2 == 1 and border == width // 2 and step in (1, 2)
    is_product = height == width == 1 and _pair(padding) == (0, 0)
    narrow = -(-x.shape[3] // step) <= NARROW
    return narrow and (is_product or (keeps_place and len(x) % 2 == 0))


def _pair(value: int | Sequence[int]) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[-1])


class _Convolution(torch.autograd.Function):
    """torch.conv2d, its backward pass in two calls."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Pair, padding: Pair
    ) -> Tensor:  # Any: a context takes attributes
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return torch.conv2d(x, weight, bias, stride, padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None]:
        x, weight = ctx.saved_tensors
        of_x = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            of_x = _backward(grad, x, weight, ctx.stride, ctx.padding, 0)
        if ctx.needs_input_grad[1]:
            if weight.shape[2:] == (1, 1) and ctx.padding == (0, 0):
                seen = x[:, :, :: ctx.stride[0], :: ctx.stride[1]]
                of_weight = (_rows(grad).T @ _rows(seen)).view_as(weight)
            else:
                width = -(-(x.shape[3] + ctx.padding[1]) // ctx.stride[1])  # of a map, with zeros after it
                num = _num_in_row(len(x), width)
                laid = _laid(grad, num, width), _laid(x, num, width * ctx.stride[1])
                of_weight = _backward(*laid, weight, ctx.stride, ctx.padding, 1)
        if ctx.needs_input_grad[2]:
            of_bias = grad.sum((0, 2, 3))
        return of_x, of_weight, of_bias, None, None


def _backward(grad: Tensor, x: Tensor, weight: Tensor, stride: Pair, padding: Pair, which: int) -> Tensor:
    """The gradient of the pictures (0), or of the filters (1)."""
    asked = [which == 0, which == 1, False]
    settings = (None, stride, padding, (1, 1), False, (0, 0), 1)
    found: Tensor = torch.ops.aten.convolution_backward(grad, x, weight, *settings, asked)[which]
    return found


def _num_in_row(num_pictures: int, width: int) -> int:
    """How many pictures: twice as many, as long as that divides them and rows are short."""
    num = 1
    while num * width < ROW and num_pictures % (2 * num) == 0:
        num *= 2
    return num


def _laid(maps: Tensor, num: int, width: int) -> Tensor:
    """(N, C, H, W) -> (N / num, C, H, num * width): `num` maps side by side, each with zeros up to `width`."""
    size, channels, height, old = maps.shape
    row = maps.new_zeros(size // num, height, num, width, channels)
    row[:, :, :, :old] = maps.permute(0, 2, 3, 1).reshape(size // num, num, height, old, channels).transpose(1, 2)
    return row.flatten(2, 3).permute(0, 3, 1, 2)


def _rows(maps: Tensor) -> Tensor:
    """(N, C, H, W) -> (N * H * W, C)."""
    return maps.permute(0, 2, 3, 1).flatten(0, 2)
