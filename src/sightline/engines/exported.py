"""An exported network, ready to answer, without torch. Comes in: an Artefact; goes out: an engine.

A picture's figures do not depend on what it is asked together with: each is answered by itself, as many at a time as
there are cores.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.artefact import Artefact
from sightline.data.preprocess import Pixels
from sightline.data.warp import Floats
from sightline.decision import Answers
from sightline.decision.appearance import appearance
from sightline.engines.runtimes import RUNTIMES, Graph
from sightline.errors import RunError
from sightline.machine import num_cores

EPSILON = 1e-6  # in a variance, as `models.stages` has it
AT_ONCE = 32  # pictures that are decoded and held, before any is answered


@dataclass(frozen=True)
class ExportedEngine:
    """One callable: pictures -> logits.

    map_weights   of each stage whose maps it gives, (K, 2 * D): see Artefact
    """

    graph: Graph
    batch_size: int = AT_ONCE
    map_weights: Sequence[Floats] = ()

    def __call__(self, images: Pixels) -> NDArray[np.float32]:
        """(n, height, width, C), uint8 or float32 0..255 -> float32 logits (n, K)."""
        return self._run(images)[0]

    def answers(self, images: Pixels) -> Answers:
        """The same logits, and all else that is known of the pictures."""
        logits, plain, features = self._run(images)
        return Answers(logits, plain, features, appearance(images))

    def at_stages(self, images: Floats, weights: Sequence[Floats]) -> list[tuple[Floats, Floats]]:
        """(n, height, width, C) 0..255 -> of each stage its maps (n, D, H', W'), and the gradient by them of a score
        that is a sum of their channels' means and deviations, with each picture's `weights` (n, 2 * D) a stage.
        """
        return [(one, _slopes(one, own)) for one, own in zip(self._maps(images), weights, strict=True)]

    def logits_by_maps(self, images: Floats) -> Floats:
        """What they say of the logits (n, K), but for a bias a class."""
        pairs = zip(self._maps(images), self.map_weights, strict=True)
        return np.asarray(sum(_statistics(one) @ own.T for one, own in pairs))

    def _maps(self, images: Floats) -> Sequence[Floats]:
        graph: Any = self.graph  # one that was exported with maps
        found: Sequence[Floats] = graph.maps(images.astype(np.float32), len(self.map_weights))
        return found

    def _run(self, images: Pixels) -> tuple[Floats, ...]:
        return self.graph(images.astype(np.float32))


def open_artefact(artefact: Artefact, num_threads: int | None = None) -> ExportedEngine:
    """`num_threads`: None, one a core. Raises RunError for a target that is not known here, or a graph that its
    package, as installed, cannot take; MissingExtraError where that is not installed.
    """
    if artefact.target not in RUNTIMES:
        raise RunError(f"{artefact.path} was exported to {artefact.target!r}, which this version does not know")
    runtime = RUNTIMES.get(artefact.target)
    try:
        graph: Graph = runtime.load(artefact, num_threads or num_cores())
    except RunError as error:
        made_with = artefact.made_with.get(runtime.PACKAGE, "of an unknown version")
        raise RunError(
            f"{error}. It was made with {runtime.PACKAGE} {made_with}; take that, or export again"
        ) from error
    return ExportedEngine(graph, map_weights=artefact.map_weights)


def _statistics(maps: Floats) -> Floats:
    """(n, D, H', W') -> (n, 2 * D): the channels' means, then their deviations."""
    return np.concatenate([maps.mean((2, 3)), np.sqrt(maps.var((2, 3)) + EPSILON)], 1)


def _slopes(maps: Floats, weights: Floats) -> Floats:
    """The gradient by maps (n, D, H', W') of their `_statistics`, times `weights` (n, 2 * D)."""
    means, deviations = np.split(weights[:, :, None, None] / (maps.shape[2] * maps.shape[3]), 2, axis=1)
    centred = maps - maps.mean((2, 3), keepdims=True)
    spread = np.sqrt(maps.var((2, 3), keepdims=True) + EPSILON)
    return np.asarray(means + deviations * centred / spread, np.float32)
