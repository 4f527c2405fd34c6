"""An exported network, ready to answer, without torch. Comes in: an Artefact; goes out: an engine.

A picture's figures do not depend on what it is asked together with: each is answered by itself, as many at a time as
there are cores.
"""

from dataclasses import dataclass

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

AT_ONCE = 32  # pictures that are decoded and held, before any is answered


@dataclass(frozen=True)
class ExportedEngine:
    """One callable: pictures -> logits."""

    graph: Graph
    batch_size: int = AT_ONCE

    def __call__(self, images: Pixels) -> NDArray[np.float32]:
        """(n, height, width, C), uint8 or float32 0..255 -> float32 logits (n, K)."""
        return self._run(images)[0]

    def answers(self, images: Pixels) -> Answers:
        """The same logits, and all else that is known of the pictures."""
        logits, plain, features = self._run(images)
        return Answers(logits, plain, features, appearance(images))

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
    return ExportedEngine(graph)
