"""The maps of an export's stages, and a score's gradient by them, without torch. Comes in: pixels and questions; goes
out: maps and gradients.
"""

from dataclasses import dataclass
from itertools import chain

import numpy as np

from sightline.data.warp import Floats
from sightline.engines.exported import ExportedEngine
from sightline.explainers import Question


@dataclass(frozen=True)
class ExportedStages:
    """As Staging, of an engine that gives maps."""

    engine: ExportedEngine

    def __call__(self, pixels: Floats, question: Question) -> list[tuple[Floats, Floats]]:
        size, found = self.engine.batch_size, list[list[Floats]]()
        for start in range(0, len(pixels), size):
            part = slice(start, start + size)
            weights = [_counted(one, question.of(part)) for one in self.engine.map_weights]
            found.append(list(chain(*self.engine.at_stages(pixels[part], weights))))
        joined = [np.concatenate(parts) for parts in zip(*found, strict=True)]
        return list(zip(joined[::2], joined[1::2], strict=True))


def _counted(weights: Floats, question: Question) -> Floats:
    """(K, 2 * D) -> (n, 2 * D): by which each picture's score counts them."""
    own = weights[question.targets]
    return own if question.against is None else own - weights[question.against]
