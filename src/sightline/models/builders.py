"""Calls a builder of another package. Comes in: our arguments and the user's options; goes out: a module.

An option that the builder does not have is a ConfigError in the user's words. Knows no package.
"""

import re
from collections.abc import Callable
from typing import Any  # Any: builders of other packages take options of many types

from torch import nn

from sightline.errors import ConfigError

_UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")
_TWICE = re.compile(r"multiple values for (?:keyword )?argument '(\w+)'")


def call_builder(
    name: str,
    builder: Callable[..., nn.Module],
    arguments: dict[str, Any],
    options: dict[str, Any],
    renamed: dict[str, str] | None = None,
) -> nn.Module:
    """`builder(**arguments, **options)`; `renamed` maps our name of an option to the builder's.

    Raises ConfigError for an option that the builder does not have. Its other errors pass: they may be about
    the image size.
    """
    renamed = renamed or {}
    theirs = {renamed.get(option, option): value for option, value in options.items()}
    for option in theirs:
        if option in (
            "num_classes",
            "in_chans",
            "in_channels",
            "img_size",
            "image_size",
            "pretrained",
            "weights",
        ):
            raise ConfigError(f"{name}: {option} is not an option of the network; it follows from the task")
    try:
        return builder(**{**arguments, **theirs})
    except TypeError as error:
        found = _UNEXPECTED.search(str(error)) or _TWICE.search(str(error))
        if found is None:
            raise
        ours = {v: k for k, v in renamed.items()}.get(found[1], found[1])
        if found[1] in theirs:
            raise ConfigError(f"{name} has no option {ours!r}; leave it out") from error
        raise ConfigError(f"{name} cannot be built with {found[1]} = {arguments.get(found[1])}") from error
