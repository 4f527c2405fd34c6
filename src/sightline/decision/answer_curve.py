"""How often an answer of some probability is right: beta calibration (Kull, Silva Filho and Flach, 2017) of the answer.

Comes in: probabilities of answers to labelled pictures that did not train, and which were right; goes out: three
numbers of a curve, and by it probabilities of all classes. One temperature makes answers right as often as they say on
average; the curve at every probability. numpy alone.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sightline.decision.logistic import most_likely, sigmoid

NUM_NEEDED = 500  # pictures, of which as many as FEWEST are right, and wrong: of fewer the curve would be luck
FEWEST = 25
STRAIGHT = (1.0, 1.0, 0.0)  # answers are right as often as they say
NUM_HALVINGS = 45
LEAST = 1e-9  # of a probability and its opposite

Curve = tuple[float, float, float]


def fitted(probabilities: NDArray[np.float64], is_right: NDArray[np.bool_]) -> Curve:
    """a, b, c of P(right) = sigmoid(a log p - b log(1 - p) + c), p (N,): the most probable ones, where each is expected
    within 1 of a straight curve's; a or b is 0 where the curve would fall. Straight where pictures are few."""
    num_right = int(is_right.sum())
    if len(is_right) < NUM_NEEDED or min(num_right, len(is_right) - num_right) < FEWEST:
        return STRAIGHT
    terms = _terms(probabilities)
    for used in ([0, 1, 2], [1, 2], [0, 2]):
        found = np.zeros(3)
        found[used] = most_likely(terms[:, used], is_right, np.array(STRAIGHT)[used], 1.0)
        if np.isfinite(found).all() and found[:2].min() >= 0 and found[:2].max() > 0:
            return float(found[0]), float(found[1]), float(found[2])
    return STRAIGHT


def applied(logits: NDArray[np.float64], curve: Sequence[float]) -> NDArray[np.float64]:
    """Probabilities (N, K): of each picture the logits are divided by the number that gives its answer the curve's.

    So the order of its classes stays, and an answer is never less probable than chance.
    """
    scores = logits - logits.max(axis=1, keepdims=True)
    wanted = sigmoid(_terms(_answers(scores, np.ones(len(scores)))) @ np.array(curve))
    low, high = np.full(len(scores), -7.0), np.full(len(scores), 7.0)  # of the factor's logarithm
    for _ in range(NUM_HALVINGS):
        middle = (low + high) / 2
        is_less = _answers(scores, np.exp(middle)) < wanted
        low, high = np.where(is_less, middle, low), np.where(is_less, high, middle)
    exponentials = np.exp(scores * np.exp((low + high) / 2)[:, None])
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def _answers(scores: NDArray[np.float64], factors: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest probability of each picture (N,), of scores whose largest is 0."""
    return np.asarray(1 / np.exp(scores * factors[:, None]).sum(axis=1))


def _terms(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    kept = probabilities.clip(LEAST, 1 - LEAST)
    return np.stack([np.log(kept), -np.log1p(-kept), np.ones(len(kept))], axis=1)
