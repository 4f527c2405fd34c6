"""Infidelity: how badly the map tells by how much the score falls where random parts of the picture are blanked out
(Yeh et al., 2019, On the (in)fidelity and sensitivity of explanations), as a share of what there is to tell: 0 is all,
1 none.

A map has no unit that all methods share, so each is scaled, for each picture, by the factor that suits it best, 0 or
more.
"""

import numpy as np
from numpy.typing import NDArray

from sightline.explaining.faithfulness._asked import Asked, cells_of

BETTER = "lower"
SAYS = "what the map does not tell of how the score falls where parts are blanked out"

NUM_DRAWN, BLOCKS, BLANKED = 48, 8, 0.2  # blocks: a side; the share of them that is blanked out


def measure(asked: Asked) -> NDArray[np.float64]:
    """(N,) in 0..1."""
    subject = asked.subject
    blocks = cells_of(*subject.frame, BLOCKS)
    whole = subject.question.score(subject.answers(subject.pixels))
    found = np.empty(len(asked.maps))
    for place, (picture, question) in enumerate(subject.each()):
        random = np.random.default_rng([asked.seed, 0x1F1, place])
        blanked = (random.random((NUM_DRAWN, blocks.max() + 1)) < BLANKED)[:, blocks]  # (drawn, height, width)
        shown = np.where(blanked[..., None], subject.blank, picture)
        falls = whole[place] - question.of(np.zeros(NUM_DRAWN, np.intp)).score(subject.answers(shown))
        told = (blanked * asked.maps[place].astype(np.float64)).sum(axis=(1, 2))
        factor = max(float(told @ falls), 0.0) / max(float(told @ told), 1e-300)
        found[place] = np.square(factor * told - falls).sum() / max(float(falls @ falls), 1e-300)
    return found
