"""RISE: the picture is shown through many masks drawn at random, and of each pixel it is seen whether the answer is
more probable where it shows (Petsiuk et al., 2018, RISE: Randomized input sampling for explanation of black-box
models).

The paper's mean of masks, weighted by the answers, is mostly the mean of all masks, which is the same for any picture.
Here it is left out: the map is the slope of the probability by the mask, of the same order in the long run, by fewer
masks.
"""

import numpy as np
from numpy.typing import NDArray

from sightline.data.warp import Floats
from sightline.explainers._frame import in_frame
from sightline.explainers._subject import Subject

TITLE, NEEDS, SIGNED, UNIT = "RISE", "answers", True, "probability"
SAYS = "how much more probable the answer is where a place shows than where it does not"
CAUTION = "Masks are drawn at random: small differences in the map are chance."

NUM_MASKS, CELLS, SHOWN = 1000, 7, 0.5  # the paper has 4,000 or 8,000 masks of 7 x 7 cells, half of them shown
MOST_AT_ONCE = 64  # masks in memory


def maps(subject: Subject) -> Floats:
    """(N, height, width)."""
    masked = np.zeros((2, *subject.pixels.shape[:3]))  # sums of mask, and of probability times mask, of each picture
    squared, total = np.zeros(subject.frame), np.zeros((len(subject.pixels), 1, 1))
    at_once = subject.at_once(MOST_AT_ONCE)
    for start in range(0, NUM_MASKS, at_once):
        masks = _masks(subject.frame, range(start, min(start + at_once, NUM_MASKS)), subject.seed)
        squared += (masks.astype(np.float64) ** 2).sum(axis=0)
        for place, (picture, question) in enumerate(subject.each()):
            shown = subject.blank + masks[..., None] * (picture - subject.blank)
            seen = question.of(np.zeros(len(masks), np.intp)).probability(subject.answers(shown))
            masked[0, place] += masks.sum(axis=0, dtype=np.float64)
            masked[1, place] += np.tensordot(seen, masks.astype(np.float64), 1)
            total[place] += seen.sum()
    mean = masked[0] / NUM_MASKS
    together = masked[1] / NUM_MASKS - mean * total / NUM_MASKS
    return np.asarray(together / (squared / NUM_MASKS - mean**2).clip(1e-12), np.float32)


def _masks(frame: tuple[int, int], numbers: range, seed: int) -> NDArray[np.float32]:
    """(n, height, width) in 0..1: cells shown or not, bilinear between them, moved by less than a cell."""
    sides = [-(-side // CELLS) for side in frame]  # of a cell
    found = np.empty((len(numbers), *frame), np.float32)
    for place, number in enumerate(numbers):
        random = np.random.default_rng([seed, 0x415E, number])
        cells = (random.random((1, CELLS + 1, CELLS + 1)) < SHOWN).astype(np.float32)
        top, left = (int(random.integers(side)) for side in sides)
        large = in_frame(cells, ((CELLS + 1) * sides[0], (CELLS + 1) * sides[1]))
        found[place] = large[0, top : top + frame[0], left : left + frame[1]]
    return found
