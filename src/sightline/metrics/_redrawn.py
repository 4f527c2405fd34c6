"""The main figure of a task on tests that might have been: the pictures, or their groups, drawn anew (Efron, 1979).

The draws are the same for all answers to the same pictures, so that differences and fits through several figures vary
as they would with other test pictures.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.metrics import _bootstrap, mean_average_precision
from sightline.metrics._interval import rate
from sightline.metrics._sample import Figure, Sample
from sightline.metrics.r2_each import explained


@dataclass(frozen=True)
class Redrawn:
    """The figure with its interval, and what it is in each draw (B,)."""

    figure: Figure
    drawn: NDArray[np.float64]


def redrawn(sample: Sample, task: str) -> Redrawn:
    """Accuracy, mean average precision or R2, `MAIN[task]`; None and no draws where it is undefined."""
    if task == "multi":
        return _found(*_bootstrap.mean_drawn(sample, lambda weights: mean_average_precision.of_each(sample, weights)))
    if task == "number":
        return _found(*_bootstrap.mean_drawn(sample, lambda weights: explained(sample, weights)))
    right = np.asarray(sample.decided == sample.labels)
    drawn = _bootstrap.draws(sample, lambda weights: (weights @ right / weights.sum(axis=1))[:, None])[:, 0]
    return Redrawn(rate(right, sample.groups), drawn)


def _found(value: float, drawn: NDArray[np.float64]) -> Redrawn:
    if np.isnan(value):
        return Redrawn(Figure(None, None), drawn[:0])
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Redrawn(Figure(value, (float(low), float(high))), drawn)
