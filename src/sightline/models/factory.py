"""Builds a Network from a name. Comes in: a name, the task's sizes, options; goes out: a Network, untrained.

Randomness is torch's global generator, which torchvision and timm draw their starting weights from: seed it
before. Knows nothing of weights files.
"""

import contextlib
from typing import Any  # Any: options are passed on to the network's own builder

import torch
from torch import nn

from sightline.errors import ConfigError
from sightline.models import from_own, from_timm, from_torchvision
from sightline.models.names import ModelName, resolve
from sightline.models.network import Network
from sightline.models.sizes import Make, check_size

_MAKERS = {"own": from_own.make, "torchvision": from_torchvision.make, "timm": from_timm.make}


def build(
    name: str,
    num_classes: int,
    in_channels: int = 3,
    image_size: tuple[int, int] = (224, 224),
    options: dict[str, Any] | None = None,
) -> Network:
    """The network `name` for (N, in_channels, *image_size) images, giving (N, num_classes) logits.

    `options` are the network's own; `dropout` means the one before the head wherever there is one.
    Raises ConfigError for an unknown name or option, and for an image size too small, naming the smallest.
    """
    _check_sizes(name, num_classes, in_channels, image_size)
    found = resolve(name)
    make = maker(found, num_classes, in_channels, dict(options or {}))

    def trial(size: tuple[int, int]) -> Network:
        return Network(make(size), found.canonical, {}, num_classes, in_channels, size)

    if found.source == "own":
        with contextlib.suppress(Exception):  # whatever it is, `check_size` says it better
            return _proven(rebuild(name, num_classes, in_channels, image_size, options))
    check_size(found.canonical, trial, in_channels, image_size)
    return rebuild(name, num_classes, in_channels, image_size, options)


def _proven(network: Network) -> Network:
    """A light network, after it has answered two empty images: no need for the meta device, whose import takes 1 s."""
    with torch.inference_mode():
        network.eval()(torch.zeros(2, network.in_channels, *network.image_size))
    return network.train()


def rebuild(
    name: str,
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    options: dict[str, Any] | None = None,
) -> Network:
    """`build` for what was built before, such as a saved network: its sizes are not tried out again.

    The trial costs about a second of torch's own imports and a run on the meta device.
    """
    found = resolve(name)
    options = dict(options or {})
    if found.source == "own":
        options = from_own.all_options(found.base, options)
    body = maker(found, num_classes, in_channels, options)(image_size)
    return Network(body, found.canonical, options, num_classes, in_channels, image_size)


def maker(name: ModelName, num_classes: int, in_channels: int, options: dict[str, Any]) -> Make:
    """A function of the image size (H, W) alone that gives the network's bare module."""
    make = _MAKERS[name.source]

    def with_size(image_size: tuple[int, int]) -> nn.Module:
        return make(name.base, num_classes, in_channels, image_size, options)

    return with_size


def _check_sizes(name: str, num_classes: int, in_channels: int, image_size: tuple[int, int]) -> None:
    for what, value in (("classes", num_classes), ("input channels", in_channels)):
        if value < 1:
            raise ConfigError(f"{name}: {value} {what}; the least is 1")
    if len(image_size) != 2 or min(image_size) < 1:
        raise ConfigError(f"{name}: image size {image_size}; give (height, width) in pixels")
