"""Where all pictures look alike, what still marks a copy? Comes in: what was left unexplained of pairs drawn at random
from a set; goes out: how little may be left in the whole set. Must not know pictures, signatures or torch.

Handwritten digits, garments on black: in such sets nearly every picture has a neighbour that is as like it as a crop of
it would be, and "near" says nothing. They are told from sets with many true copies by how fast pairs grow in number
with what is unexplained, u. A copy leaves next to nothing, so that allowing four times as much adds few pairs. Pictures
that differ in D ways at random have u**(D / 2) pairs below u (the correlation dimension of Grassberger and Procaccia,
"Measuring the strangeness of strange attractors", 1983): frames of a film lie on a line, D = 1; of a camera that turns
too, D = 2; digits and garments have D of 4 to 8. The same law, carried on to smaller u, says below which u the whole
set should hold no more than FALSE_SHARE look-alikes a picture, which is then what a copy may leave.
"""

from math import log2

import numpy as np
from numpy.typing import NDArray

ORDINARY = 0.12  # what a copy may leave in ordinary sets
MIN_PARTNERS = 2.0  # near pictures that a picture has on average, for its set to be a crowd
MIN_GROWTH = 8.0  # so many times the pairs for four times as much unexplained: D = 3
FALSE_SHARE = 1e-3
# The law is read off at the so-many-th smallest u, its half and its quarter: few enough pairs that none is missing
# among the bounded neighbours of a picture, enough that chance moves the power by a tenth.
COUNTED = 600
FEWEST = 80


def most_unexplained(
    unexplained: NDArray[np.float32], is_possible: NDArray[np.bool_], num_sampled: int, num: int
) -> float | None:
    """What a copy may leave unexplained in a set of `num` pictures; None where it is no crowd.

    unexplained  of every candidate pair (P,) among `num_sampled` pictures drawn from the set; of no pair twice
    is_possible  (P,): those that are asked at all whether they leave so little; the others are no copies
    """
    is_near = unexplained <= ORDINARY
    near = np.sort(unexplained[is_near]).astype(np.float64)
    larger = (num / max(num_sampled, 1)) ** 2  # the whole set has so many times the pairs of the sample
    if 2 * len(near) * larger < MIN_PARTNERS * num or len(near) < FEWEST:
        return None
    if len(near) < MIN_GROWTH * np.searchsorted(near, ORDINARY / 4, side="right"):
        return None
    high = near[min(COUNTED, len(near) // 2) - 1]
    # Counts between two bounds, in which the copies, with next to nothing unexplained, do not appear.
    outer, inner = np.diff(np.searchsorted(near, [high, high / 2, high / 4], side="right")) * -1.0
    power = log2(max(outer / max(inner, 1), 2))
    below_high = outer / (1 - 2**-power) * larger * max(is_possible[is_near].mean(), 1 / len(near))
    return float(min(high * (FALSE_SHARE * num / below_high) ** (1 / power), ORDINARY))
