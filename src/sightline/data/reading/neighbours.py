"""How far pictures of one class look alike, pixel by pixel, and whether they do in the mirror.

Comes in: some pictures and their classes; goes out: a Likeness, by which recipes are chosen. Must not know data sets.
"""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sightline.data.preprocess import Pixels
from sightline.data.resize import average

SIDE = 16  # pixels; finer detail decides for few pictures which other one is the nearest
# Standard errors of pairs that a class, and all together, may lose in the mirror by chance. Measured on 10 to 100
# pictures a class, 5 draws each: CIFAR-10, which does not change in the mirror, lost up to 2.9 and 1.7; MNIST,
# Fashion-MNIST and traffic signs, which do, lost at least 2.6 and 2.0 of 100 pictures, 3.6 and 5.1 of more.
MOST_LOST, MOST_LOST_IN_CLASS = 1.9, 3.0
LEAST_RIGHT = 3.0  # standard errors beyond chance; of fewer right ones nothing would be seen to be lost


class Likeness(NamedTuple):
    """
    share       how often the nearest other picture is of the same class, 0: as often as by chance, 1: always
    in_mirror   whether the nearest to a mirrored picture is so as often, in all classes
    """

    share: float
    in_mirror: bool


def likeness(pictures: Sequence[Pixels], labels: NDArray[np.int64]) -> Likeness:
    """Nearest by the correlation of thumbnails. By chance: the share of the commonest class."""
    if len(labels) < 2:
        return Likeness(0.0, False)
    by_chance = float(np.bincount(labels).max() / len(labels))
    if by_chance == 1:
        return Likeness(0.0, False)
    small = np.stack([_thumbnail(picture) for picture in pictures])  # (N, SIDE, SIDE, 3)
    as_is, mirrored = _nearest_is_of_class(small, small, labels), _nearest_is_of_class(small[:, :, ::-1], small, labels)
    share = max(0.0, (float(as_is.mean()) - by_chance) / (1 - by_chance))
    shows = as_is.sum() - by_chance * len(labels) > LEAST_RIGHT * sqrt(by_chance * (1 - by_chance) * len(labels))
    return Likeness(share, bool(shows) and _loses_nothing(as_is & ~mirrored, ~as_is & mirrored, labels))


def _nearest_is_of_class(
    asked: NDArray[np.float32], others: NDArray[np.float32], labels: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """(N,): for each of `asked`, (N, ...), whether the nearest of `others`, (N, ...), but its own is of its class."""
    flat = others.reshape(len(others), -1)
    mean = flat.mean(axis=0)
    nearness = _unit(asked.reshape(len(asked), -1) - mean) @ _unit(flat - mean).T
    np.fill_diagonal(nearness, -np.inf)
    return np.asarray(labels[nearness.argmax(axis=1)] == labels)


def _loses_nothing(lost: NDArray[np.bool_], won: NDArray[np.bool_], labels: NDArray[np.int64]) -> bool:
    """Whether more were lost than won by chance alone (McNemar, 1947), over all and in each class."""
    return _excess(lost, won) <= MOST_LOST and all(
        _excess(lost[labels == k], won[labels == k]) <= MOST_LOST_IN_CLASS for k in np.unique(labels)
    )


def _excess(lost: NDArray[np.bool_], won: NDArray[np.bool_]) -> float:
    """In standard errors."""
    num_lost, num_won = int(lost.sum()), int(won.sum())
    return (num_lost - num_won) / sqrt(max(1, num_lost + num_won))


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6))


def _thumbnail(picture: Pixels) -> NDArray[np.float32]:
    """(h, w, C) -> colour (SIDE, SIDE, 3)."""
    return np.broadcast_to(average(picture, SIDE, SIDE).astype(np.float32), (SIDE, SIDE, 3))
