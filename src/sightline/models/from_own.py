"""Sightline's own networks. Comes in: a registered name and sizes; goes out: an untrained module."""

import dataclasses
from typing import Any  # Any: options are values of many types, checked against the network's dataclass

from torch import nn

from sightline import config
from sightline.models.catalogue import OWN


def make(
    name: str, num_classes: int, in_channels: int, image_size: tuple[int, int], options: dict[str, Any]
) -> nn.Module:
    """The network. Raises ConfigError for its options, anything else for an image size it cannot bear."""
    module = OWN.get(name)
    built: nn.Module = module.build(config.build(module.Options, options, name), num_classes, in_channels, image_size)
    return built


def all_options(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """`options` with the defaults of the others, so that a saved network survives a change of defaults."""
    return dataclasses.asdict(config.build(OWN.get(name).Options, options, name))
