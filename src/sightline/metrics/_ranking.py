"""Figures of an order: how well scores put the pictures that carry a class first. Weighted, for the bootstrap."""

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]


def average_precision(scores: NDArray[np.float64], labels: NDArray[np.uint8], weights: Weights) -> NDArray[np.float64]:
    """Mean precision over the pictures that carry the class, best score first; equal scores count as one step.

    scores, labels (N,), weights (B, N) -> (B,); NaN where no picture carries the class, or all do: no order is wrong.
    """
    order, ends = _order(scores)
    positive = np.cumsum(weights[:, order] * labels[order], axis=1)[:, ends]  # (B, steps)
    answered = np.cumsum(weights[:, order], axis=1)[:, ends]
    gained = np.diff(positive, axis=1, prepend=0)
    total = positive[:, -1]
    summed = (gained * positive / np.maximum(answered, 1e-300)).sum(axis=1)
    is_mixed = (total > 0) & (total < answered[:, -1])
    return np.asarray(np.where(is_mixed, summed / np.maximum(total, 1e-300), np.nan))


def auroc(scores: NDArray[np.float64], labels: NDArray[np.uint8], weights: Weights) -> NDArray[np.float64]:
    """The chance that a picture with the class scores higher than one without, ties half. As above; (B,)."""
    order, ends = _order(scores)
    weighted = weights[:, order]
    positive = np.cumsum(weighted * labels[order], axis=1)[:, ends]
    negative = np.cumsum(weighted * (1 - labels[order].astype(np.float64)), axis=1)[:, ends]
    behind = np.diff(negative, axis=1, prepend=0)  # of one step
    before = positive - 0.5 * np.diff(positive, axis=1, prepend=0)
    pairs = positive[:, -1] * negative[:, -1]
    return np.asarray(np.where(pairs > 0, (behind * before).sum(axis=1) / np.maximum(pairs, 1e-300), np.nan))


def ranks(values: NDArray[np.float64], weights: Weights) -> NDArray[np.float64]:
    """The rank of each of the values (N,), equal ones sharing their mean rank, in each draw: (B, N)."""
    order, ends = _order(-values)
    totals = np.cumsum(weights[:, order], axis=1)[:, ends]
    before = np.concatenate([np.zeros((len(weights), 1)), totals[:, :-1]], axis=1)
    step_of = np.empty(len(values), np.intp)
    step_of[order] = np.searchsorted(ends, np.arange(len(values)))
    return np.asarray(((before + totals + 1) / 2)[:, step_of])


def _order(scores: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Positions from the best score on, and where each run of equal scores ends."""
    order = np.argsort(-scores, kind="stable")
    return order, np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
