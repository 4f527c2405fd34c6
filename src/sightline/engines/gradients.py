"""How a network's score of a picture changes with its pixels, or with the map that a stage makes of it.

Comes in: pictures, and a score of their logits; goes out: gradients, in numpy. Of the network as it is, without the
views that a run may average over. Must not know what the gradients are for.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import takewhile

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from sightline.data.warp import Floats
from sightline.engines.memory import unless_too_large
from sightline.engines.torch import TorchEngine, exactly, flushing_denormals, normalised
from sightline.models import Network

Score = Callable[[torch.Tensor], torch.Tensor]  # logits (n, K) -> (n,)


def gradients(engine: TorchEngine, images: Floats, score: Score) -> Floats:
    """(n, height, width, C) float32 0..255 -> the gradient of each picture's score by its pixels, same shape."""
    with ready(engine, images) as seen:
        seen.requires_grad_()
        (found,) = torch.autograd.grad(score(engine.network(seen)).sum(), [seen])
        scale = torch.from_numpy(engine.config.preprocessing.affine()[0]).to(engine.device)  # by the chain rule
        return as_numpy((found * scale).permute(0, 2, 3, 1))


def at_stages(engine: TorchEngine, images: Floats, last: str, score: Score) -> list[tuple[Floats, Floats]]:
    """The maps (n, D, H', W') of the stages that the score comes through, and its gradient by them.

    That is the stage `last`, above which all is gone through backwards; and before it those that the head reads
    besides, for what it reads of them. So each part of the score goes through one of them.
    """
    *read, _ = names_to(engine.network, last)
    leaves = dict[str, torch.Tensor]()

    def cut(name: str, module: nn.Module, inputs: object, output: torch.Tensor) -> torch.Tensor:
        leaves[name] = output.detach().requires_grad_()
        return leaves[name].clone()  # what comes next may write into it

    def go_on(module: nn.Module, inputs: object, output: torch.Tensor) -> torch.Tensor:
        return output.detach()  # only those who listen got what the gradient goes through

    with ready(engine, images) as pixels, frozen(engine.network), contextlib.ExitStack() as handles:
        for name in [*read, last]:
            module = engine.network.body.get_submodule(name)
            # Before the hooks of those who read stages, and after them.
            handles.callback(module.register_forward_hook(partial(cut, name), prepend=True).remove)
            if name != last:
                handles.callback(module.register_forward_hook(go_on).remove)
        total = score(engine.network(pixels)).sum()
        found = torch.autograd.grad(total, list(leaves.values()))
        return [(as_numpy(leaf.detach()), as_numpy(slope)) for leaf, slope in zip(leaves.values(), found, strict=True)]


def names_to(network: Network, last: str) -> list[str]:
    """The stages that the head reads before the stage `last`, and that one."""
    before = list(takewhile(lambda name: name != last, network.stages()))
    return [*(name for name in network.read_channels if name in before), last]


def in_parts(compute: Callable[[slice], Sequence[Floats]], num: int, batch_size: int) -> list[Floats]:
    """What `compute` gives for pictures, some at a time; half as many where memory does not do."""
    found, start, size = list[Sequence[Floats]](), 0, batch_size
    while start < num:
        part = unless_too_large(lambda: compute(slice(start, min(start + size, num))))  # noqa: B023  # called at once
        if part is not None:
            found.append(part)
            start += size
        elif size == 1:
            raise MemoryError("memory ran out for the gradient of one picture")
        else:
            size = -(-size // 2)
    return [np.concatenate(values) for values in zip(*found, strict=True)]


@contextlib.contextmanager
def ready(engine: TorchEngine, images: Floats) -> Iterator[torch.Tensor]:
    """The network's input, while the process is set as the run has it, and gradients are computed."""
    engine.network.eval()
    with torch.enable_grad(), exactly(engine.config.num_threads, engine.device), flushing_denormals():
        pixels = torch.from_numpy(images).to(engine.device).permute(0, 3, 1, 2)
        yield normalised(pixels, engine.config.preprocessing, engine.config.channels_last)


@contextlib.contextmanager
def frozen(network: Network) -> Iterator[None]:
    """No parameter wants a gradient, so that nothing is kept for it."""
    wanting = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in wanting:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in wanting:
            parameter.requires_grad_(True)


def as_numpy(values: torch.Tensor) -> Floats:
    return np.ascontiguousarray(values.float().cpu().numpy())


def cross_entropy(logits: torch.Tensor, labels: NDArray[np.int64]) -> torch.Tensor:
    """(n, K), (n,) -> (n,), what trainings make small."""
    return F.cross_entropy(logits, torch.from_numpy(labels).to(logits.device), reduction="none")


def lead(logits: torch.Tensor, labels: NDArray[np.int64]) -> torch.Tensor:
    """How far the best other class leads, in units of the first logit above the third (Croce and Hein, 2020, DLR).

    Where a network is so sure that its cross-entropy has no gradient left, this has. Of two classes in logits.
    """
    own_class = torch.from_numpy(labels).to(logits.device)[:, None]
    own = logits.gather(1, own_class)[:, 0]
    other = logits.scatter(1, own_class, -torch.inf).amax(1)
    if logits.shape[1] < 3:
        return other - own
    ranked = logits.topk(3, dim=1).values
    return (other - own) / (ranked[:, 0] - ranked[:, 2]).clamp_min(1e-12)
