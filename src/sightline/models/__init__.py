"""Networks by name. Comes in: a name and a task's sizes; goes out: a Network, its weights, its description.

Looking a name up (`describe`, `known_names`) needs no torch; the others import it. Knows nothing of pictures
on disk, preprocessing, training or runs.
"""

import importlib
from typing import TYPE_CHECKING

from sightline.errors import MissingExtraError

if TYPE_CHECKING:
    from sightline.models.catalogue import ModelInfo, describe, known_names
    from sightline.models.factory import build, rebuild
    from sightline.models.loading import LoadReport, load_into
    from sightline.models.network import Network
    from sightline.models.weights import open_weights
    from sightline.models.weights_file import Weights

__all__ = [
    "LoadReport",
    "ModelInfo",
    "Network",
    "Weights",
    "build",
    "describe",
    "known_names",
    "load_into",
    "open_weights",
    "rebuild",
]

_HOMES = {
    "LoadReport": "loading",
    "ModelInfo": "catalogue",
    "Network": "network",
    "Weights": "weights_file",
    "build": "factory",
    "describe": "catalogue",
    "known_names": "catalogue",
    "load_into": "loading",
    "open_weights": "weights",
    "rebuild": "factory",
}


def __getattr__(name: str) -> object:
    """A public name, its module imported when first asked for (PEP 562): most need torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtraError(f"{__name__}.{name}", "torch", "train") from error
