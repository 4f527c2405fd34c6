"""How sure a network may be: the one temperature that its logits are divided by (Guo et al., 2017).

Comes in: logits of labelled pictures that did not train; goes out: a number. numpy alone.
"""

import numpy as np
from numpy.typing import NDArray

NUM_NEEDED = 25  # pictures; of fewer a temperature would be luck
LEAST, MOST = 1e-3, 1e3
NUM_HALVINGS = 50  # of that range's logarithm: more exact than any use of it


def fitted(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The temperature with the least log loss, logits (N, K), labels (N,).

    A share of 1 in N + 2 of each truth is spread over all classes, as Laplace's rule of succession has it: of N answers
    that are all right, the next one is not certain to be. Without it such pictures would ask for a temperature of 0.
    """
    scores = logits.astype(np.float64)
    if not np.isfinite(scores).all():
        raise ValueError("temperature: logits that are no finite numbers")
    scores = scores - scores.max(axis=1, keepdims=True)
    if not scores.any():
        return 1.0  # they say nothing, however they are divided
    smoothing = 1 / (len(labels) + 2)
    true = (1 - smoothing) * scores[np.arange(len(labels)), labels] + smoothing * scores.mean(axis=1)
    low, high = np.log(1 / MOST), np.log(1 / LEAST)  # of the inverse, in which the log loss is convex
    for _ in range(NUM_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if _slope(scores, true, float(np.exp(middle))) > 0 else (middle, high)
    return float(np.exp(-(low + high) / 2))


def _slope(scores: NDArray[np.float64], true: NDArray[np.float64], inverse: float) -> float:
    """Of the mean log loss by the inverse temperature: what is expected of the scores less what the truths have."""
    weights = np.exp(inverse * scores)
    return float(((weights * scores).sum(axis=1) / weights.sum(axis=1) - true).mean())
