"""How sure a network may be: the one temperature that its logits are divided by (Guo et al., 2017).

Comes in: logits of labelled pictures that did not train; goes out: a number. numpy alone.
"""

import numpy as np
from numpy.typing import NDArray

NUM_NEEDED = 25  # pictures; of fewer a temperature would be luck
LEAST, MOST = 1e-3, 1e3
NUM_HALVINGS = 50  # of that range's logarithm: more exact than any use of it
CLOSE = 1e-12  # a step that moves it by less is the last


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
    low, high, inverse = 1 / MOST, 1 / LEAST, 1.0  # of the inverse, in which the log loss is convex
    for _ in range(NUM_HALVINGS):
        slope, bend = _slope_and_bend(scores, true, inverse)
        low, high = (low, inverse) if slope > 0 else (inverse, high)
        newton = inverse - slope / bend if bend > 0 else low
        before, inverse = inverse, newton if low < newton < high else float(np.sqrt(low * high))
        if abs(inverse - before) <= CLOSE * inverse:
            break
    return 1 / inverse


def _slope_and_bend(scores: NDArray[np.float64], true: NDArray[np.float64], inverse: float) -> tuple[float, float]:
    """Of the mean log loss by the inverse temperature: what is expected of the scores less what the truths have, and
    the scores' variance."""
    weights = np.exp(inverse * scores)
    sums = weights.sum(axis=1)
    weights *= scores
    means = weights.sum(axis=1) / sums
    squares = np.einsum("nk,nk->n", weights, scores) / sums
    return float((means - true).mean()), float((squares - means**2).mean())
