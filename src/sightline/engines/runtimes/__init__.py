"""What runs exported graphs. One file, one target; each exposes

    PACKAGE                    of Python, that must be installed
    load(artefact, num_threads) -> a Graph
    whole(artefact)            -> decoded pictures (N, H, W, C) uint8 of one size -> answers and logits (N, K) each

Raises MissingExtraError where the package is not installed. No torch.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.data.warp import Floats
from sightline.registry import Registry

RUNTIMES = Registry("sightline.engines.runtimes", "target", ("PACKAGE", "load", "whole"))


OUTPUTS = ("logits", "plain", "features")  # what a Graph gives; `plain` is left out where it would be the logits


def maps_named(num: int) -> list[str]:
    """What the outputs are called that are maps of stages, of graphs that were exported with them."""
    return [f"maps{number}" for number in range(num)]


Whole = Callable[[NDArray[np.uint8]], tuple[Floats, Floats]]


class Graph(Protocol):
    """A graph, ready to run. One that may be exported with maps of stages has `maps` besides, for `num` of them:

    maps(frames, num) -> of each stage (n, D, H', W')
    """

    def __call__(self, frames: Floats) -> tuple[Floats, ...]:
        """Preprocessed pictures (n, height, width, C), float32 0..255 -> logits and plain (n, K), features (n, D)."""
        ...
