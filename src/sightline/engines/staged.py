"""The maps of a network's stages, and a score's gradient by them: what lies below the last of them by OpenVINO, what
lies above by torch. Comes in: pictures, and a score of their logits; goes out: maps and gradients, in numpy.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, cycle, pairwise

import numpy as np
import torch

from sightline.data.warp import Floats
from sightline.engines.fastest import MANY, fastest
from sightline.engines.gradients import Score, as_numpy, frozen, names_to
from sightline.engines.openvino import OpenVINOEngine
from sightline.engines.torch import TorchEngine, exactly, flushing_denormals
from sightline.models.halves import Seen, Upper, halves
from sightline.models.stages import shapes_of, statistics_of


@dataclass(frozen=True)
class Staged:
    """As `gradients.at_stages`, of one network. `names`: the stages; `shapes`: of their maps, (D, H', W')."""

    torch: TorchEngine
    below: OpenVINOEngine
    above: Upper
    names: Sequence[str]
    shapes: Sequence[tuple[int, ...]]

    @staticmethod
    def of(engine: TorchEngine, last: str, some: Floats) -> "tuple[Staged | None, str]":
        """The faster way, and why; None where torch is faster, or the network cannot be cut behind the stage `last`.

        some   a batch of pictures (n, height, width, C) float32 0..255, by which both are timed
        """
        network, names = engine.network, names_to(engine.network, last)
        cut = halves(network, engine.config.channels_last, last)
        if cut is None:
            return None, ""
        below, said = fastest(replace(engine, network=Seen(network, names)), cycle([some]), MANY)
        if isinstance(below, TorchEngine):
            return None, said
        with network.resting() as picture:
            shapes = shapes_of(network.stages(), network, picture)
        return Staged(engine, below, cut[1], names, [shapes[name][1:] for name in names]), said

    def __call__(self, images: Floats, score: Score) -> list[tuple[Floats, Floats]]:
        """(n, height, width, C) float32 0..255 -> of each stage its maps (n, D, H', W'), and the gradient by them."""
        side_by_side = self.below.logits_and_features(images)[1]
        ends = accumulate((int(np.prod(shape)) for shape in self.shapes), initial=0)
        pieces = (side_by_side[:, start:end] for start, end in pairwise(ends))
        maps = [piece.reshape(len(images), *shape) for piece, shape in zip(pieces, self.shapes, strict=True)]
        return list(zip(maps, self._slopes(maps, score), strict=True))

    def _slopes(self, maps: list[Floats], score: Score) -> list[Floats]:
        read, network, device = self.above.lower.widths, self.torch.network.eval(), self.torch.device
        threads = self.torch.config.num_threads
        with torch.enable_grad(), exactly(threads, device), flushing_denormals(), frozen(network):
            leaves = [torch.from_numpy(values).to(device).requires_grad_() for values in maps]
            by_name = dict(zip(self.names, leaves, strict=True))
            kept = [*(statistics_of(by_name[name]) for name in read), leaves[-1].flatten(1)]
            found = torch.autograd.grad(score(self.above(torch.cat(kept, 1))[0]).sum(), leaves)
            return [as_numpy(slope) for slope in found]
