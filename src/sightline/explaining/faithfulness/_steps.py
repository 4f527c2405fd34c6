"""From one picture to another, the most important cells first: what deletion and insertion share."""

import numpy as np
from numpy.typing import NDArray

from sightline.data.warp import Floats
from sightline.explaining.faithfulness._asked import Asked

NUM_STEPS = 16
MOST_AT_ONCE = 256  # pictures in memory


def area(asked: Asked, start: Floats, end: Floats) -> NDArray[np.float64]:
    """(N,): the mean probability of the answer while pictures (N, height, width, C) turn from `start` to `end`.

    Cell by cell, in the order of the map; those that it does not tell apart by chance.
    """
    cells, importance = asked.cell_of, asked.by_cells(asked.maps)
    num_cells, shares = importance.shape[1], np.arange(NUM_STEPS + 1) / NUM_STEPS
    ranks = np.empty(importance.shape)
    for place, values in enumerate(importance):
        chance = np.random.default_rng([asked.seed, 0xDE1, place]).random(num_cells)
        ranks[place, np.lexsort((chance, -values))] = np.arange(num_cells)
    found, at_once = np.empty(len(importance)), max(1, asked.subject.at_once(MOST_AT_ONCE) // len(shares))
    for first in range(0, len(importance), at_once):
        some = slice(first, first + at_once)
        turned = ranks[some][:, None, cells] < np.rint(shares * num_cells)[:, None, None]  # (n, steps, height, width)
        mixed = np.where(turned[..., None], end[some, None], start[some, None])
        places = np.arange(len(importance))[some].repeat(len(shares))
        answers = asked.subject.answers(mixed.reshape(-1, *mixed.shape[2:]))
        probabilities = asked.subject.question.of(places).probability(answers).reshape(-1, len(shares))
        found[some] = np.trapezoid(probabilities, shares, axis=1)
    return found
