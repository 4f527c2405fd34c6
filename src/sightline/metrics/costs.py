"""What the answers cost on average, by a matrix of costs, and what others by the same probabilities would.

`as_answered`: the most probable class. `least_expected`: of each picture the class whose cost is least in expectation
by its calibrated probabilities (Elkan, 2001). `always`: the one class that would have cost least as the answer to all
of these pictures; what an answer must be cheaper than.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.metrics._interval import of_mean, wilson
from sightline.metrics._sample import Figure, Sample

TASK = "single"


@dataclass(frozen=True)
class Costs:
    """Mean cost a picture; `always_class`: the name of the single class; `num_changed`: answers that costs change."""

    as_answered: Figure
    least_expected: Figure
    always: Figure
    always_class: str
    num_changed: int


def measure(sample: Sample) -> Costs | None:
    """None where no costs were given."""
    costs = sample.asked.costs
    if costs is None:
        return None
    labels, decided = sample.labels.astype(np.int64), sample.decided.astype(np.int64)
    least = (sample.outputs @ costs).argmin(axis=1)  # (N, K) @ (K, K) -> (N,)
    always = int(np.bincount(labels, minlength=len(costs)).dot(costs).argmin())

    def mean(answers: NDArray[np.int64] | NDArray[np.intp]) -> Figure:
        return _mean(costs[labels, answers], costs, sample.groups)

    best = mean(np.full(len(labels), always))
    return Costs(mean(decided), mean(least), best, sample.asked.name(always), int((least != decided).sum()))


def _mean(each: NDArray[np.float64], costs: NDArray[np.float64], groups: NDArray[np.intp] | None) -> Figure:
    """Of (N,) costs. Where all cost the same, others may yet come, as seldom as none of so many was seen."""
    value, interval = float(each.mean()), of_mean(each, groups)
    if np.ptp(each) == 0:
        share = wilson(0, len(each) if groups is None else len(np.unique(groups)))[1]
        interval = (
            value + share * (min(float(costs.min()), value) - value),
            value + share * (float(costs.max()) - value),
        )
    return Figure(value, interval)
