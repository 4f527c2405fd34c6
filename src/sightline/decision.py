"""Logits -> probabilities. Comes in: logits (N, K); goes out: probabilities (N, K). numpy alone.

The same code answers for a Run, an exported artefact and the service. Must not know networks, torch or files.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Decision:
    """How logits become an answer. `temperature` divides the logits; 1 leaves them as they are."""

    temperature: float = 1.0

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Softmax in double precision, (N, K) -> (N, K); a row sums to 1."""
        scaled = logits.astype(np.float64) / self.temperature
        scaled -= scaled.max(axis=1, keepdims=True)
        exponentials = np.exp(scaled)
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))
