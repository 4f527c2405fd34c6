"""Confident learning: which labels are probably wrong, by the answers of networks that did not see them.

Comes in: probabilities (N, K) of pictures by heads that were not fitted on them, and their labels (N,); goes out: how
many labels of each class are probably another's, and which. After Northcutt, Jiang and Chuang (2021), Confident
Learning: Estimating Uncertainty in Dataset Labels, JAIR 70; numpy alone. Must not know pictures, networks or files.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.metrics._interval import wilson

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Estimate:
    """A number of pictures, and its 95 % interval."""

    value: float
    interval: tuple[float, float]


def thresholds(probabilities: Floats, labels: Ints) -> Floats:
    """How sure the answers are of each class on average, where it is the label: (K,); 1 where it never is."""
    num_classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=num_classes)
    sums = np.bincount(labels, probabilities[np.arange(len(labels)), labels], num_classes)
    return np.asarray(np.where(counts > 0, sums / np.maximum(counts, 1), 1.0))


def confident_classes(probabilities: Floats, labels: Ints) -> Ints:
    """(N,): the most probable of the classes that are at least as sure as their thresholds; -1 where none is."""
    above = np.where(probabilities >= thresholds(probabilities, labels), probabilities, -1.0)
    found = above.argmax(axis=1)
    return np.where(above[np.arange(len(labels)), found] >= 0, found, -1)


def confident_joint(probabilities: Floats, labels: Ints) -> Ints:
    """(K, K) pictures: those labelled i that are confidently j (equation 1 of the paper); at least 1 on the diagonal.

    A class whose pictures are none of them confidently its own would otherwise be said to be all wrong, or undefined.
    """
    num_classes = probabilities.shape[1]
    sure = confident_classes(probabilities, labels)
    cells = labels[sure >= 0] * num_classes + sure[sure >= 0]
    joint = np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)
    np.fill_diagonal(joint, np.maximum(joint.diagonal(), 1))
    return joint


def estimated(joint: Ints, labels: Ints) -> Floats:
    """(K, K) pictures: of each class's as many as it has, in the proportions of the confident ones (equation 3)."""
    counts = np.bincount(labels, minlength=len(joint))
    return np.asarray(joint * (counts / joint.sum(axis=1))[:, None])


def by_noise_rate(probabilities: Floats, labels: Ints) -> Flags:
    """(N,): of each pair of classes as many as are estimated, those with the largest margin of j over the label i.

    The paper's method 4. Never one whose most probable class is its label.
    """
    wanted = _whole(estimated(confident_joint(probabilities, labels), labels))
    found = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        others = np.flatnonzero((wanted[label] > 0) & (np.arange(len(wanted)) != label))
        rows = np.flatnonzero(labels == label)
        if len(others):
            margins = probabilities[np.ix_(rows, others)] - probabilities[rows, label][:, None]
            least = np.sort(margins, axis=0)[len(rows) - wanted[label, others], np.arange(len(others))]
            found[rows] = (margins >= least).any(axis=1)
    return np.asarray(found & (probabilities.argmax(axis=1) != labels))


def by_class(probabilities: Floats, labels: Ints) -> Flags:
    """(N,): of each class as many as are estimated to be wrong, those with the least probability of their label.

    The paper's method 3. Never one whose most probable class is its label.
    """
    wanted = _whole(estimated(confident_joint(probabilities, labels), labels))
    num_wrong = wanted.sum(axis=1) - wanted.diagonal()
    own, found = probabilities[np.arange(len(labels)), labels], np.zeros(len(labels), bool)
    for label in np.flatnonzero(num_wrong):
        rows = np.flatnonzero(labels == label)
        found[rows] = own[rows] <= np.partition(own[rows], num_wrong[label] - 1)[num_wrong[label] - 1]
    return np.asarray(found & (probabilities.argmax(axis=1) != labels))


def by_both(probabilities: Floats, labels: Ints) -> Flags:
    """(N,): those that both find. The paper's method 5."""
    return by_noise_rate(probabilities, labels) & by_class(probabilities, labels)


def by_confident_joint(probabilities: Floats, labels: Ints) -> Flags:
    """(N,): those that are confidently of another class than their label. The paper's method 2."""
    sure = confident_classes(probabilities, labels)
    return np.asarray((sure >= 0) & (sure != labels) & (probabilities.argmax(axis=1) != labels))


def num_wrong(probabilities: Floats, labels: Ints, groups: NDArray[np.intp] | None = None) -> Estimate:
    """How many labels are wrong, with what chance leaves open of it: pictures, or their `groups` (N,), are drawn anew.

    Class sizes and thresholds stand. So the interval says nothing of pictures that the answers cannot tell apart, which
    count as wrong too.
    """
    joint, sure = confident_joint(probabilities, labels), confident_classes(probabilities, labels)
    share_wrong = 1 - joint.diagonal() / joint.sum(axis=1)
    rate = float(share_wrong @ np.bincount(labels, minlength=len(joint))) / len(labels)
    # What each picture moves the rate by (its influence): that of a ratio estimate, class by class.
    weights = np.bincount(labels, minlength=len(joint)) / joint.sum(axis=1) / len(labels)
    moves = np.where(sure >= 0, weights[labels] * ((sure != labels) - share_wrong[labels]), 0.0)
    sums = moves if groups is None else np.bincount(groups, moves)
    counted = (sure >= 0) if groups is None else np.bincount(groups, sure >= 0) > 0
    variance, num = float((sums**2).sum()), float(counted.sum())
    if variance > 0:
        num = rate * (1 - rate) / variance  # so many pictures of their own would leave as much open
    low, high = wilson(rate * num, num)
    return Estimate(rate * len(labels), (low * len(labels), high * len(labels)))


def suggested(probabilities: Floats, labels: Ints) -> Ints:
    """(N,): the most probable class that is not the label."""
    rest = probabilities.copy()
    rest[np.arange(len(labels)), labels] = -1.0
    return np.asarray(rest.argmax(axis=1))


def _whole(numbers: Floats) -> Ints:
    """Whole numbers whose sums over a row stay as they are: the largest remainders are rounded up."""
    floors = np.floor(numbers)
    lacking = np.rint(numbers.sum(axis=1) - floors.sum(axis=1)).astype(np.int64)
    rank = np.argsort(np.argsort(floors - numbers, axis=1, kind="stable"), axis=1)
    return np.asarray(floors + (rank < lacking[:, None]), np.int64)
