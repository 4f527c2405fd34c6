"""Maps of one network's stages and a score's gradient by them, of many pictures, by whichever way is the faster.

Comes in: pixels and questions; goes out: maps and gradients. Of the network as it is, without the views that a run may
average over.
"""

import time
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

from sightline.data.warp import Floats
from sightline.engines.gradients import at_stages, in_parts
from sightline.engines.staged import Staged
from sightline.engines.torch import TorchEngine
from sightline.explainers import Question
from sightline.explaining.answering import PATIENCE_S


@dataclass
class Staging:
    """One callable: pictures (N, height, width, C) float32 0..255, a question of each -> of each stage that the score
    comes through its maps (N, D, H', W'), and the gradient by them.

    stage   the last of them
    said    what came of trying another way than torch's
    """

    torch: TorchEngine
    stage: str
    said: str = field(default="", init=False)
    _another: Staged | None = field(default=None, init=False)
    _spent_s: float = field(default=0.0, init=False)
    _is_settled: bool = field(default=False, init=False)

    def __call__(self, pixels: Floats, question: Question) -> list[tuple[Floats, Floats]]:
        began, size = time.perf_counter(), self.torch.batch_size
        way = self._another or partial(at_stages, self.torch, last=self.stage)

        def of(part: slice) -> list[Floats]:
            return list(chain(*way(pixels[part], score=question.of(part).score)))

        found = in_parts(of, len(pixels), size)
        self._spent_s += time.perf_counter() - began
        if not self._is_settled and self._spent_s > PATIENCE_S:
            self._is_settled = True
            self._another, self.said = Staged.of(self.torch, self.stage, pixels[:size])
        return list(zip(found[::2], found[1::2], strict=True))
