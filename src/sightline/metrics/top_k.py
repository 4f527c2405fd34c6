"""Share of pictures whose true class is among the k most probable, for some k up to half of the classes."""

from dataclasses import dataclass

import numpy as np

from sightline.metrics._interval import rate
from sightline.metrics._sample import Figure, Sample

TASK = "single"
SIZES = (2, 3, 5, 10, 20, 50, 100)


@dataclass(frozen=True)
class Among:
    """The `share` of pictures whose class is among the `k` most probable."""

    k: int
    share: Figure


def measure(sample: Sample) -> list[Among] | None:
    """None with fewer than four classes. Of classes that are equally probable the first of the order comes first."""
    num_classes = sample.outputs.shape[1]
    sizes = [k for k in SIZES if 2 * k <= num_classes]
    if not sizes:
        return None
    labels = sample.labels.astype(np.int64)
    true = np.take_along_axis(sample.outputs, labels[:, None], axis=1)  # (N, 1)
    is_before = np.arange(num_classes) < labels[:, None]
    place = (sample.outputs > true).sum(axis=1) + ((sample.outputs == true) & is_before).sum(axis=1)
    return [Among(k, rate(np.asarray(place < k), sample.groups)) for k in sizes]
