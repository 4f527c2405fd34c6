"""How many answers are wrong if only the surest are given (El-Yaniv and Wiener, 2010).

Comes in: a Sample; goes out: the share of wrong answers at each share of pictures answered, and the area under that
curve (AURC): the mean share of wrong answers, less is better.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.metrics._sample import Sample

TASK = "single"
NUM_POINTS = 100  # kept of the curve


@dataclass(frozen=True)
class RiskCoverage:
    """`aurc`; `points`: (share answered, share of those that is wrong), the surest alone first, all last."""

    aurc: float
    points: tuple[tuple[float, float], ...]


def measure(sample: Sample) -> RiskCoverage:
    wrong = np.asarray(sample.decided != sample.labels, np.float64)
    risks = _risks(wrong, sample.outputs.max(axis=1))
    num = len(wrong)
    chosen = np.unique(np.linspace(0, num - 1, min(NUM_POINTS, num)).astype(int))
    return RiskCoverage(float(risks.mean()), tuple(((i + 1) / num, float(risks[i])) for i in chosen.tolist()))


def _risks(wrong: NDArray[np.float64], sureness: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,): of the surest 1, 2, ... N answers, the share that is wrong; equally sure ones count as their mean."""
    order = np.argsort(-sureness, kind="stable")
    level = np.append(0, (np.diff(sureness[order]) < 0).cumsum())
    means = np.bincount(level, wrong[order]) / np.bincount(level)
    return np.asarray(means[level].cumsum() / np.arange(1, len(wrong) + 1))
