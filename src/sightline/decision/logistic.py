"""Yes or no by a weighted sum: the sigmoid, and the weights with the most likely answers. numpy alone."""

import numpy as np
from numpy.typing import NDArray

NUM_STEPS = 100
CLOSE = 1e-10  # of the loss that a step may still save


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-z)), which overflows nowhere."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)))


def most_likely(
    x: NDArray[np.float64],
    truths: NDArray[np.float64] | NDArray[np.bool_],
    expected: NDArray[np.float64],
    spreads: NDArray[np.float64] | float,
    beside: NDArray[np.float64] | float = 0.0,
) -> NDArray[np.float64]:
    """Weights (D,) of x (N, D), beside other logits (N,), with the least log loss, by Newton's steps.

    It is convex; a step that would overshoot is halved. Weights are normal about those expected.
    """
    prior = np.eye(len(expected)) / np.square(spreads)

    def loss(weights: NDArray[np.float64]) -> float:
        z, off = x @ weights + beside, weights - expected
        return float((np.logaddexp(0, z) - truths * z).sum() + 0.5 * off @ prior @ off)

    best, least = expected, loss(expected)
    for _ in range(NUM_STEPS):
        p = sigmoid(x @ best + beside)
        falls = x.T @ (p - truths) + prior @ (best - expected)
        step = np.linalg.solve((x.T * (p * (1 - p))) @ x + prior, falls)
        if falls @ step < CLOSE * max(least, 1.0):
            break
        while (found := loss(best - step)) > least:
            step /= 2
        best, least = best - step, found
    return best
