"""Answers in bins by their probability: how often those of a bin are right."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.metrics._interval import rate
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
    """The least probable first; answers of one probability stay together."""
    given, right, groups = all_given(sample)
    place = places(given) if sample.labels.ndim == 1 else _tenths(given)
    found = []
    for number in np.unique(place):
        inside = place == number
        share = rate(right[inside], None if groups is None else groups[inside])
        found.append(Bin(int(inside.sum()), float(given[inside].mean()), share.value, share.interval))
    return found


def all_given(sample: Sample) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.intp] | None]:
    """Probabilities (N,), whether it was so, and what belongs together: of the answers; of several classes a picture
    all of it, (N * K,), where those of one picture belong together."""
    if sample.labels.ndim == 1:
        return *answered(sample), sample.groups
    num, num_classes = sample.outputs.shape
    groups = np.arange(num) if sample.groups is None else sample.groups
    return sample.outputs.ravel(), (sample.labels > 0).ravel(), np.repeat(groups, num_classes)


def answered(sample: Sample) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The probability (N,) of what was answered, and whether it is right (N,)."""
    answers = sample.decided.astype(np.int64)
    return sample.outputs[np.arange(len(answers)), answers], np.asarray(answers == sample.labels)


def places(given: NDArray[np.float64]) -> NDArray[np.intp]:
    """The number of the bin (N,) of each probability."""
    num_bins = int(np.clip(len(given) // MIN_COUNT, 1, NUM_BINS))
    edges = np.unique(np.quantile(given, np.arange(1, num_bins) / num_bins, method="higher"))
    return np.searchsorted(edges, given, side="right")


def _tenths(given: NDArray[np.float64]) -> NDArray[np.intp]:
    """Likewise, by tenths, of which those of few are joined with the next. Most classes are not in most pictures:
    equally many probabilities a bin would put all bins near 0."""
    tenth = np.minimum((given * NUM_EVEN).astype(np.intp), NUM_EVEN - 1)
    number_of, number, inside = np.zeros(NUM_EVEN, np.intp), 0, 0
    for k, count in enumerate(np.bincount(tenth, minlength=NUM_EVEN).tolist()):
        number_of[k], inside = number, inside + count
        if inside >= MIN_COUNT:
            number, inside = number + 1, 0
    if inside and number:
        number_of[number_of == number] -= 1  # the last ones are too few to stand alone
    return np.asarray(number_of[tenth])
