"""Share of pictures whose most probable class is the true one, with its 95 % interval."""

from dataclasses import dataclass

from sightline.metrics._interval import wilson
from sightline.metrics._sample import Sample

TASK = "single"


@dataclass(frozen=True)
class Accuracy:
    value: float
    interval: tuple[float, float]


def measure(sample: Sample) -> Accuracy:
    hits = int((sample.decided == sample.labels).sum())
    return Accuracy(hits / len(sample.labels), wilson(hits, len(sample.labels)))
