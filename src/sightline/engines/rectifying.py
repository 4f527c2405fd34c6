"""Another rule by which activations pass gradients on, for a while: guided backpropagation's, or deconvolution's.

Whatever way a network calls its activations is heard, as a module, as a function or in place. Must not know networks.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

Rule = Literal["guided", "deconvolution"]

# An activation, as it may be called -> the same, with its result in memory of its own; where its `inplace` stands.
_IN_PLACE_AT: dict[Callable[..., Any], int] = {
    F.relu: 1, F.relu6: 1, F.hardtanh: 3, F.silu: 1, F.mish: 1, F.hardswish: 1, F.leaky_relu: 2, F.elu: 2, F.celu: 2,
    F.selu: 1,
}  # fmt: skip
_PLAIN: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.relu: torch.relu, torch.relu_: torch.relu, torch.Tensor.relu: torch.relu, torch.Tensor.relu_: torch.relu,
    torch.tanh: torch.tanh, torch.Tensor.tanh: torch.tanh, F.gelu: F.gelu, F.softplus: F.softplus,
    **{function: function for function in _IN_PLACE_AT},
}  # fmt: skip


class _PositiveOnly(torch.autograd.Function):
    """The value of `output` as it is; backwards what is positive goes to `output`, and nothing to `inputs`."""

    @staticmethod
    def forward(ctx: Any, output: torch.Tensor) -> torch.Tensor:
        return output.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        return gradients[0].clamp_min(0)


class _Straight(torch.autograd.Function):
    """The value of an activation; backwards what is positive goes straight to the input."""

    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        return output.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradients[0].clamp_min(0), None


class Rectifying(TorchFunctionMode):
    """While it is entered, activations pass on what `rule` lets them. `num_heard`: calls of activations so far.

    guided         what is positive, where the activation itself lets it through (Springenberg et al., 2015)
    deconvolution  what is positive, everywhere (Zeiler and Fergus, 2014)
    """

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        self.rule, self.num_heard = rule, 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        """As torch calls it, for each function that is given tensors."""
        kwargs = dict(kwargs or {})
        if func not in _PLAIN:
            return func(*args, **kwargs)
        self.num_heard += 1
        if (place := _IN_PLACE_AT.get(func)) is not None:
            args = args[:place] + args[place + 1 :]
            kwargs.pop("inplace", None)
        if self.rule == "guided":
            return _PositiveOnly.apply(_PLAIN[func](*args, **kwargs))
        rest = args[1:]
        inputs = args[0] if args else kwargs.pop("input")
        with torch.no_grad():
            output = _PLAIN[func](inputs, *rest, **kwargs)
        return _Straight.apply(inputs, output)
