"""Some of many pictures, by chance and with each class in its share. Comes in: labels; goes out: places."""

import numpy as np
from numpy.typing import NDArray

from sightline.data.tasks import Labels


def drawn(labels: Labels, num: int, seed: int) -> NDArray[np.intp]:
    """Places (num,) among labels (N,), ascending; all of them where there are no more.

    Each class has its share within one picture. Of several labels a picture, (N, K), by chance alone.
    """
    random, total = np.random.default_rng([seed, 0x5A]), len(labels)
    order = random.permutation(total)
    classes = labels[order].astype(np.int64) if labels.ndim == 1 else np.zeros(total, np.int64)
    by_class = np.argsort(classes, kind="stable")
    _, starts, counts = np.unique(classes[by_class], return_index=True, return_counts=True)
    rank = np.arange(total) - np.repeat(starts, counts)
    # Where a picture stands among those of its class, from 0 to 1: the first of all classes together are in proportion.
    place = (rank + np.repeat(random.random(len(counts)), counts)) / np.repeat(counts, counts)
    return np.sort(order[by_class[np.argsort(place, kind="stable")[:num]]])
