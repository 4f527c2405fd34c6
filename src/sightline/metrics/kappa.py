"""Cohen's kappa (1960): how far answers and truth agree beyond chance, 1 at best, 0 as by chance."""

import numpy as np
from numpy.typing import NDArray

from sightline.metrics._bootstrap import FEWER_DRAWS, figure
from sightline.metrics._counts import totals
from sightline.metrics._sample import Figure, Sample

TASK = "single"


def measure(sample: Sample) -> Figure:
    """With the interval; undefined where truth and answers are of one class alone."""

    def kappas(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """(B, N) -> (B, 1)"""
        hits, carried, answered = totals(sample, weights)
        num = weights.sum(axis=1)
        seen, by_chance = hits.sum(axis=1) / num, (carried * answered).sum(axis=1) / num**2
        with np.errstate(invalid="ignore"):
            return np.asarray(((seen - by_chance) / np.where(by_chance < 1, 1 - by_chance, np.nan))[:, None])

    return figure(sample, kappas, FEWER_DRAWS)
