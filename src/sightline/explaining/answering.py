"""Many answers of one network, by whichever engine is the faster. Comes in: pixels; goes out: logits.

Of the network as it is, without the views that a run may average over.
"""

import time
from dataclasses import dataclass, field

import numpy as np

from sightline.data.warp import Floats
from sightline.engines.fastest import MANY, NUM_NEEDED, Engine, fastest
from sightline.engines.torch import TorchEngine

PATIENCE_S = 3.0  # of torch's, before another engine is tried: importing and converting takes 2 to 5 s on two cores


@dataclass
class Answering:
    """One callable: any number of pictures (n, height, width, C) float32 0..255 -> logits (n, K).

    engine   the one that answers now, torch's at first
    said     what came of trying another one
    """

    torch: TorchEngine
    engine: Engine = field(init=False)
    said: str = field(default="", init=False)
    _spent_s: float = field(default=0.0, init=False)
    _is_settled: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.engine = self.torch

    def __call__(self, pixels: Floats) -> Floats:
        began, size = time.perf_counter(), self.torch.batch_size
        parts = [pixels[start : start + size] for start in range(0, len(pixels), size)]
        found = np.concatenate([self.engine.plain(part) for part in parts])
        self._spent_s += time.perf_counter() - began
        if not self._is_settled and self._spent_s > PATIENCE_S and len(parts) >= NUM_NEEDED:
            self._is_settled = True
            if self.torch.network.has_one_head:
                self.engine, self.said = fastest(self.torch, parts[-NUM_NEEDED:], MANY)
        return found
