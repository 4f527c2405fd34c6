"""Layers made as narrow as the weights that are to go into them. Comes in: a body as it was built, shapes of tensors by
name; goes out: the same body, its layers of those shapes.

A pruned network is known by its weights alone: nothing else says how wide its layers are. Knows nothing of how filters
were chosen, or of files.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import nn


def cut(body: nn.Module, shapes: Mapping[str, Sequence[int]]) -> None:
    """Give every tensor of `body` that is named in `shapes` that shape, in place, and its layer the sizes that belong
    to it. Tensors whose shape changes begin with the first values of those before, which weights are to replace.
    """
    for prefix, module in body.named_modules():
        wanted = {name: shapes.get(f"{prefix}.{name}".removeprefix(".")) for name, _ in _tensors(module)}
        changed = [name for name, tensor in _tensors(module) if _differs(tensor, wanted[name])]
        for name in changed:
            _narrow(module, name, wanted[name] or ())
        if changed:
            _resize(module)


def _tensors(module: nn.Module) -> list[tuple[str, torch.Tensor]]:
    """The module's own, not its children's."""
    return [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]


def _differs(tensor: torch.Tensor, wanted: Sequence[int] | None) -> bool:
    """Whether another shape with as many axes is wanted."""
    return wanted is not None and len(wanted) == tensor.ndim and tuple(wanted) != tuple(tensor.shape)


def _narrow(module: nn.Module, name: str, shape: Sequence[int]) -> None:
    tensor = getattr(module, name)
    values = tensor.new_zeros(tuple(shape))
    part = tuple(slice(min(old, new)) for old, new in zip(tensor.shape, shape, strict=True))
    values[part] = tensor.detach()[part]
    if isinstance(tensor, nn.Parameter):
        setattr(module, name, nn.Parameter(values, requires_grad=tensor.requires_grad))
    else:
        setattr(module, name, values)  # torch registers it again as the buffer that it was


def _resize(module: nn.Module) -> None:
    """The sizes that torch's layers keep beside their tensors; a layer of another kind goes by its tensors."""
    if isinstance(module, nn.Conv2d):
        if module.groups == module.in_channels > 1:  # depthwise, with one filter a channel or several
            module.groups = module.weight.shape[0] // (module.out_channels // module.in_channels)
        module.out_channels = module.weight.shape[0]
        module.in_channels = module.weight.shape[1] * module.groups
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, nn.modules.batchnorm._BatchNorm):
        kept = module.weight if module.affine else module.running_mean
        module.num_features = module.num_features if kept is None else len(kept)
    elif isinstance(module, nn.LayerNorm):
        module.normalized_shape = tuple(module.weight.shape)
    elif isinstance(module, nn.GroupNorm):
        module.num_channels = len(module.weight)
    elif isinstance(module, nn.PReLU):
        module.num_parameters = len(module.weight)
