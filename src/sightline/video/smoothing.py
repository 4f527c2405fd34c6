"""Outputs over time -> what they are on average of late: a frame by itself is often wrong for a moment."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass
class Smoothing:
    """A mean in which a frame's weight falls by half every `half_life` seconds; 0: each by itself."""

    half_life: float
    seconds: float = 0.0
    mean: NDArray[np.float64] | None = None

    def __call__(self, seconds: float, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean at that time, this frame counted: a frame is as heavy as the time since the last one."""
        passed, self.seconds = max(0.0, seconds - self.seconds), seconds
        kept = 0.0 if self.mean is None or self.half_life <= 0 else math.exp2(-passed / self.half_life)
        self.mean = values if self.mean is None else kept * self.mean + (1 - kept) * values
        return self.mean
