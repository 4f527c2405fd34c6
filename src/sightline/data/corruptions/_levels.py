"""How strong a severity is for a picture of some size. Comes in: published numbers for two sizes; goes out: one number.

ImageNet-C's numbers are for 224 pixels, CIFAR-10-C's, by the same authors, for 32; they differ by much more than the
sizes do, for a small picture is spoilt sooner. Between the two, a number's logarithm goes along the logarithm of the
side. Beyond them a strength stays as it is. Above 224 a length stays the same share of the side; below 32 it stays as
many pixels, for a blur by a part of one is none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

SEVERITIES = (1, 2, 3, 4, 5)
SMALL, LARGE = 32.0, 224.0  # pixels a side for which numbers were published


@dataclass(frozen=True)
class Level:
    """`severity` 1 to 5; `side`: the root of the picture's area, in pixels."""

    severity: int
    side: float

    def strength(self, small: Sequence[float], large: Sequence[float]) -> float:
        """Of what has no length: from five numbers for 32 pixels and five for 224, all above 0."""
        first, last = small[self.severity - 1], large[self.severity - 1]
        share = log(self.side / SMALL) / log(LARGE / SMALL)
        return float(first * (last / first) ** min(max(share, 0.0), 1.0))

    def length(self, small: Sequence[float], large: Sequence[float]) -> float:
        """In pixels of this picture, likewise."""
        return self.strength(small, large) * max(1.0, self.side / LARGE)
