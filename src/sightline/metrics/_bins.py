"""Answers in bins by their probability: how often those of a bin are right."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.metrics._interval import wilson
from sightline.metrics._sample import Sample

NUM_BINS = 15  # usual since Guo et al., 2017
NUM_EVEN = 10
MIN_COUNT = 10  # answers a bin; of fewer pictures there are fewer bins


@dataclass(frozen=True)
class Bin:
    """Answers given about the same probability: how many, its mean, the share that is right, with its 95 % interval."""

    count: int
    probability: float
    share_right: float
    interval: tuple[float, float]


def bins(sample: Sample) -> list[Bin]:
    """Of the probabilities of what was answered, the least first; answers of one probability stay together."""
    given, right = answered(sample)
    return _filled(given, right, places(given))


def even_bins(given: NDArray[np.float64], right: NDArray[np.bool_]) -> list[Bin]:
    """Of probabilities of any shape, by tenths, of which those of few are joined with what comes next.

    Most classes are not in most pictures: equally many answers a bin would put all bins near 0.
    """
    given, right = given.ravel(), right.ravel()
    tenth = np.minimum((given * NUM_EVEN).astype(np.intp), NUM_EVEN - 1)
    number_of, number, inside = np.zeros(NUM_EVEN, np.intp), 0, 0
    for k, count in enumerate(np.bincount(tenth, minlength=NUM_EVEN).tolist()):
        number_of[k], inside = number, inside + count
        if inside >= MIN_COUNT:
            number, inside = number + 1, 0
    if inside and number:
        number_of[number_of == number] -= 1  # the last ones are too few to stand alone
    return _filled(given, right, number_of[tenth])


def _filled(given: NDArray[np.float64], right: NDArray[np.bool_], place: NDArray[np.intp]) -> list[Bin]:
    """(N,) each; `place`: the number of the bin."""
    found = []
    for number in np.unique(place):
        inside = place == number
        count, hits = int(inside.sum()), int(right[inside].sum())
        found.append(Bin(count, float(given[inside].mean()), hits / count, wilson(hits, count)))
    return found


def answered(sample: Sample) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The probability (N,) of what was answered, and whether it is right (N,)."""
    answers = sample.decided.astype(np.int64)
    return sample.outputs[np.arange(len(answers)), answers], np.asarray(answers == sample.labels)


def places(given: NDArray[np.float64]) -> NDArray[np.intp]:
    """The number of the bin (N,) of each probability."""
    num_bins = int(np.clip(len(given) // MIN_COUNT, 1, NUM_BINS))
    edges = np.unique(np.quantile(given, np.arange(1, num_bins) / num_bins, method="higher"))
    return np.searchsorted(edges, given, side="right")
