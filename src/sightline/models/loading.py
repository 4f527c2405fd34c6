"""Puts Weights into a Network. Comes in: both; goes out: what was loaded and what was not, in one sentence.

Weights that are plainly another network's, or for another number of channels, are refused. What may differ:
the head, for another number of classes; auxiliary heads; position embeddings, for another image size, which
torchvision's and timm's own rules resize.
"""

from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from torch import Tensor, nn

from sightline.errors import WeightsError
from sightline.models import from_timm, from_torchvision
from sightline.models.factory import maker
from sightline.models.names import ModelName, resolve
from sightline.models.network import AUXILIARY_PREFIXES, STAGE_WEIGHT, Network, head_names
from sightline.models.sizes import on_meta
from sightline.models.weights_file import Weights

# A share of keys that only one side has from which on the weights are another network's. Backbones published
# with or without a token or a projection differ in a few per cent; ResNet-34 in ResNet-18, which it contains,
# differs in 44 %.
_FOREIGN = 0.1

_NUM_SHOWN = 3

_SOME_CLASSES = 1000  # for a body whose keys alone are looked at


@dataclass(frozen=True)
class LoadReport:
    """What `load_into` did. `loaded` counts tensors; the others are names of modules or tensors.

    `replaced`: modules left with their starting weights (a head of another size, auxiliary heads).
    `resized`: tensors fitted to another image size. `missing`: other tensors of the network that the weights
    lack. `unexpected`: tensors of the weights that the network has no place for.
    """

    origin: str
    loaded: int
    replaced: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    resized: tuple[str, ...] = ()

    def sentence(self) -> str:
        """One line for the user, which a report and a model card repeat: of a path the last part alone."""
        parts = [f"{self.loaded} tensors loaded from {PurePath(self.origin).name}"]
        for names, what in (
            (self.replaced, "starts anew"),
            (self.resized, "resized to the image"),
            (self.missing, "missing there"),
            (self.unexpected, "left unused"),
        ):
            if names:
                parts.append(f"{what}: {_few(names)}")
        return "; ".join(parts)


def load_into(network: Network, weights: Weights) -> LoadReport:
    """Copies `weights` into `network`. Raises WeightsError, and changes nothing, where they do not fit."""
    target = network.tensors()
    source = weights.state_dict
    free = _free_prefixes(network.body, network.num_classes)
    _check_kinship(network, weights, target, free)
    resized: tuple[str, ...] = ()
    clashes = _clashes(source, target, free)
    if clashes:
        source = _resize(network, weights) or source
        resized = tuple(key for key in clashes if source[key].shape == target[key].shape)
        clashes = _clashes(source, target, free)
    if clashes:
        raise WeightsError(_clash_message(network, weights, clashes, source, target))
    fitting = {key: value for key, value in source.items() if key in target and value.shape == target[key].shape}
    network.load(fitting)
    anew = [key for key in target if key not in fitting and not key.endswith("num_batches_tracked")]
    return LoadReport(
        origin=weights.origin,
        loaded=len(fitting),
        replaced=tuple(dict.fromkeys(key.rpartition(".")[0] for key in anew if key.startswith(free))),
        missing=tuple(key for key in anew if not key.startswith(free)),
        unexpected=tuple(key for key in source if key not in target),
        resized=resized,
    )


def shared_keys(name: ModelName, state_dict: dict[str, Tensor]) -> float:
    """The share of the keys of network `name` that `state_dict` has too; heads do not count."""
    make = maker(name, num_classes=_SOME_CLASSES, in_channels=3, options={})
    body = on_meta(make, (224, 224))
    keys = _own_keys(body.state_dict(), _free_prefixes(body, _SOME_CLASSES))
    return sum(key in state_dict for key in keys) / len(keys)


def _free_prefixes(body: nn.Module, num_classes: int) -> tuple[str, ...]:
    """Prefixes of keys that may differ: the head's and the auxiliary heads'."""
    return tuple(f"{name}." for name in head_names(body, num_classes)) + AUXILIARY_PREFIXES


def _own_keys(state_dict: dict[str, Tensor], free: tuple[str, ...]) -> list[str]:
    """Keys that tell networks apart. Files from before PyTorch 0.4.1 have no `num_batches_tracked`."""
    free = (*free, STAGE_WEIGHT)
    return [key for key in state_dict if not key.startswith(free) and not key.endswith("num_batches_tracked")]


def _check_kinship(network: Network, weights: Weights, target: dict[str, Tensor], free: tuple[str, ...]) -> None:
    """Raises WeightsError where too many keys are on one side alone: the weights are another network's."""
    ours, theirs = _own_keys(target, free), _own_keys(weights.state_dict, free)
    missing = [key for key in ours if key not in weights.state_dict]
    unexpected = [key for key in theirs if key not in target]
    if len(missing) > _FOREIGN * len(ours) or len(unexpected) > _FOREIGN * len(theirs):
        raise WeightsError(
            f"{weights.origin} does not hold weights of {network.architecture}: of the network's {len(ours)} "
            f"tensors {len(missing)} are missing there ({_few(missing)}), and of the {len(theirs)} there the "
            f"network has no place for {len(unexpected)} ({_few(unexpected)}). Name the network that they "
            "are of, with the options that it was built with, or leave --weights out"
        )


def _clashes(source: dict[str, Tensor], target: dict[str, Tensor], free: tuple[str, ...]) -> list[str]:
    """Keys of both whose shapes differ, but for heads with another number of classes (dimension 0)."""
    return [
        key
        for key, value in source.items()
        if key in target
        and value.shape != target[key].shape
        and not (key.startswith(free) and value.shape[1:] == target[key].shape[1:])
    ]


def _clash_message(
    network: Network,
    weights: Weights,
    clashes: list[str],
    source: dict[str, Tensor],
    target: dict[str, Tensor],
) -> str:
    theirs, ours = source[clashes[0]].shape, target[clashes[0]].shape
    if len(clashes) == 1 and len(theirs) == 4 and theirs[1] != ours[1] == network.in_channels:
        return (
            f"{weights.origin} is for images of {theirs[1]} channels ({clashes[0]}: {tuple(theirs)}), but "
            f"this {network.architecture} takes {ours[1]} ({tuple(ours)}): build it with {theirs[1]}, "
            "or leave --weights out"
        )
    shown = [f"{key}: {tuple(source[key].shape)} there, {tuple(target[key].shape)} here" for key in clashes]
    height, width = network.image_size
    return (
        f"{weights.origin} does not fit this {network.architecture} for {height}x{width} images of "
        f"{network.in_channels} channels: {_few(shown)}"
    )


def _resize(network: Network, weights: Weights) -> dict[str, Tensor] | None:
    """The state dict fitted to the network's image size by its package's own rule; None if there is none."""
    name = resolve(network.architecture)
    native: Any = weights.config.get("input_size")  # Any: JSON
    resize = {"timm": from_timm.resize, "torchvision": from_torchvision.resize}.get(name.source)
    if resize is None or native is None:
        return None
    make = maker(name, network.num_classes, network.in_channels, network.options)
    return resize(make, weights.state_dict, (native[1], native[2]), network.image_size)


def _few(names: tuple[str, ...] | list[str]) -> str:
    more = len(names) - _NUM_SHOWN
    return ", ".join(names[:_NUM_SHOWN]) + (f" and {more} more" if more > 0 else "") or "none"
