"""Expected calibration error of each class, where a picture may carry several: see `ece`."""

from sightline.metrics import ece
from sightline.metrics._sample import Sample

TASK = "multi"


def measure(sample: Sample) -> list[float]:
    return ece.each_value(sample)
