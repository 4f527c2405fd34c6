"""From one picture to another, the most important cells first: what deletion and insertion share."""

import numpy as np
from numpy.typing import NDArray

from sightline.data.warp import Floats
from sightline.explaining.faithfulness._asked import Asked

NUM_STEPS = 16


def area(asked: Asked, start: Floats, end: Floats) -> NDArray[np.float64]:
    """(N,): the mean probability of the answer while pictures (N, height, width, C) turn from `start` to `end`.

    Cell by cell, in the order of the map; those that it does not tell apart by chance.
    """
    cells, importance = asked.cell_of, asked.by_cells(asked.maps)
    num_cells, shares = importance.shape[1], np.arange(NUM_STEPS + 1) / NUM_STEPS
    found = np.empty(len(importance))
    for place, values in enumerate(importance):
        chance = np.random.default_rng([asked.seed, 0xDE1, place]).random(num_cells)
        rank = np.empty(num_cells)
        rank[np.lexsort((chance, -values))] = np.arange(num_cells)
        turned = rank[cells] < np.rint(shares * num_cells)[:, None, None]  # (steps, height, width)
        mixed = np.where(turned[..., None], end[place], start[place])
        question = asked.subject.question.of(np.full(len(mixed), place, np.intp))
        found[place] = np.trapezoid(question.probability(asked.subject.answers(mixed)), shares)
    return found
