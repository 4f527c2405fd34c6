"""A power law through errors at numbers of pictures: error(n) = a * n^-b + c. Comes in: numbers; goes out: laws.

Errors of networks fall so over several powers of ten of pictures, towards what no number of them removes (Hestness et
al., 2017, Deep learning scaling is predictable, empirically; Rosenfeld et al., 2020, A constructive prediction of the
generalization error across scales). numpy alone. Must not know pictures, tests or networks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MIN_EXPONENT, MAX_EXPONENT = 0.01, 2.0
# For a given exponent the best a and c have a closed form, so exponents are tried, each 2.7 % above the one before:
# no start to choose, no local minimum, and a thousand fits take some 20 ms.
EXPONENTS = np.geomspace(MIN_EXPONENT, MAX_EXPONENT, 200)


@dataclass(frozen=True)
class Laws:
    """B laws; of each `scale` (B,), the part of the error at the largest number that more pictures remove, `exponent`
    (B,), and `floor` (B,), what is left in the end. `largest`: that number."""

    scale: Floats
    exponent: Floats
    floor: Floats
    largest: float

    def at(self, num: float) -> Floats:
        """The errors (B,) at a number of pictures."""
        return np.asarray(self.scale * (num / self.largest) ** -self.exponent + self.floor)


def fitted(nums: Floats, errors: Floats, variances: Floats) -> Laws:
    """The laws of least squares through `errors` (B, P) at `nums` (P,), points weighing by 1 / `variances` (P,).

    scale >= 0, floor >= 0, the exponent within MIN_EXPONENT and MAX_EXPONENT. Errors must not be negative.
    """
    assert errors.shape[1] == len(nums) == len(variances) and (variances > 0).all()
    weights = 1 / variances
    z = (nums / nums.max()) ** -EXPONENTS[:, None]  # (E, P)
    z_1, z_z, num = z @ weights, z**2 @ weights, weights.sum()  # (E,), (E,), one number
    y_1, y_z = errors @ weights, errors @ (weights * z).T  # (B,), (B, E)
    determinant = num * z_z - z_1**2
    scale = (num * y_z - np.outer(y_1, z_1)) / determinant
    floor = (np.outer(y_1, z_z) - y_z * z_1) / determinant
    # Of two numbers that may not be negative one at most would be, and then it is 0: errors are not negative.
    is_flat, is_bare = scale < 0, floor < 0
    scale = np.where(is_flat, 0.0, np.where(is_bare, y_z / z_z, scale))
    floor = np.where(is_flat, y_1[:, None] / num, np.where(is_bare, 0.0, floor))
    # The sum of squares, less that of the errors, which is the same for all exponents.
    squares = scale**2 * z_z + 2 * scale * floor * z_1 + floor**2 * num - 2 * scale * y_z - 2 * floor * y_1[:, None]
    best = squares.argmin(axis=1)
    rows = np.arange(len(errors))
    return Laws(scale[rows, best], EXPONENTS[best], floor[rows, best], float(nums.max()))


def without_floor(nums: Floats, errors: Floats, variances: Floats) -> Laws:
    """Likewise, where floor = 0: two points suffice."""
    weights = 1 / variances
    z = (nums / nums.max()) ** -EXPONENTS[:, None]  # (E, P)
    z_z, y_z = z**2 @ weights, errors @ (weights * z).T  # (E,), (B, E)
    best = (y_z**2 / z_z).argmax(axis=1)
    scale = (y_z / z_z)[np.arange(len(errors)), best]
    return Laws(scale, EXPONENTS[best], np.zeros(len(errors)), float(nums.max()))
