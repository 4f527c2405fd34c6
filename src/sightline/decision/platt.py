"""How sure yes or no to each class may be: its logit z becomes z / temperature + bias (Platt, 1999).

Comes in: logits (N, K) and labels (N, K) of pictures that did not train; goes out: a temperature and a bias for each
class. One that too few of them carry, or lack, has the temperature of all classes together and no bias. numpy alone.
"""

import numpy as np
from numpy.typing import NDArray

from sightline.decision.logistic import most_likely, sigmoid
from sightline.decision.temperature import LEAST, MOST, NUM_HALVINGS

# Pictures that carry a class, and that lack it. By 6 already a class does better by itself than with all together: its
# log loss, where classes differ little, is 0.017 above the least possible one, not 0.028 (simulated).
MIN_POSITIVES = 5
# How far, in standard deviations, a class is expected to be from all of them together: its slope, in shares of theirs,
# and its bias, which weights for rare classes make large. A quarter of both costs a third more where classes differ.
SPREAD_OF_SLOPES, SPREAD_OF_BIASES = 2.0, 5.0
LEAST_SLOPE = 0.01  # of theirs: a class that its logits say nothing of keeps its order all the same


def fitted(logits: NDArray[np.float32], labels: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Temperatures (K,) and biases (K,) with the least log loss.

    Of each truth 1 in N + 2 is spread over yes and no, as `temperature` has it: answers that are all right are not
    taken for certain. Platt takes 1 in P + 2 of the P pictures that carry a class, which costs networks that are nearly
    always right 0.038 of log loss with ten of them, not 0.012 (simulated). Raises ValueError for logits that are no
    finite numbers.
    """
    scores = logits.astype(np.float64)
    if not np.isfinite(scores).all():
        raise ValueError("platt: logits that are no finite numbers")
    smoothing = 1 / (len(labels) + 2)
    truths = (1 - smoothing) * labels.astype(np.float64) + smoothing / 2  # (N, K)
    shared = _shared_slope(scores, truths)
    slopes, biases = np.full(scores.shape[1], shared), np.zeros(scores.shape[1])
    for k in np.flatnonzero(has_own(labels)):
        slopes[k], biases[k] = _own(shared * scores[:, k], truths[:, k])
        slopes[k] *= shared
    return 1 / slopes, biases


def has_own(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether enough pictures carry, and lack, each class, (N, K) -> (K,)."""
    carried = labels.sum(axis=0)
    return np.asarray(np.minimum(carried, len(labels) - carried) >= MIN_POSITIVES)


def _shared_slope(scores: NDArray[np.float64], truths: NDArray[np.float64]) -> float:
    """The inverse temperature of all classes together; the log loss is convex in it."""
    if not scores.any():
        return 1.0  # they say nothing, however they are divided
    low, high = np.log(1 / MOST), np.log(1 / LEAST)
    for _ in range(NUM_HALVINGS):
        middle = (low + high) / 2
        rises = ((sigmoid(np.exp(middle) * scores) - truths) * scores).sum() > 0
        low, high = (low, middle) if rises else (middle, high)
    return float(np.exp((low + high) / 2))


def _own(scores: NDArray[np.float64], truths: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and bias of one class, (N,), (N,); the slope is positive, so that the order of pictures stays."""
    ones, spreads = np.ones(len(scores)), np.array([SPREAD_OF_SLOPES, SPREAD_OF_BIASES])
    slope, bias = most_likely(np.stack([scores, ones], axis=1), truths, np.array([1.0, 0.0]), spreads)
    if slope < LEAST_SLOPE:
        slope = LEAST_SLOPE
        (bias,) = most_likely(ones[:, None], truths, np.zeros(1), spreads[1:], slope * scores)
    return float(slope), float(bias)
