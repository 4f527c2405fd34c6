"""What is done to every picture: corruptions and small moves. Comes in: the frame; goes out: Variants.

Must not know networks or answers. Each is a function of (seed, index of the picture, kind, level) alone.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from sightline.data.corruptions import SEVERITIES, corrupted, in_families
from sightline.data.preprocess import Pixels
from sightline.data.warp import moved

Change = Callable[[Pixels, int], Pixels]  # a picture and its index -> the same shape and type

SHIFTS = (0.01, 0.02, 0.04, 0.08, 0.16)  # of the shorter side
SCALES = (0.8, 0.9, 0.95, 1.05, 1.1, 1.25)
DEGREES = (-30.0, -20.0, -10.0, -5.0, 5.0, 10.0, 20.0, 30.0)
DIRECTIONS = ((-1, 0), (1, 0), (0, -1), (0, 1))


@dataclass(frozen=True)
class Variant:
    """`level`: the severity, or how far in the kind's unit."""

    kind: str
    level: float
    change: Change


def corruptions(seed: int) -> list[list[Variant]]:
    """Of each corruption its five severities."""

    def change(name: str, severity: int) -> Change:
        return lambda image, index: corrupted(image, name, severity, seed, index)

    return [[Variant(name, severity, change(name, severity)) for severity in SEVERITIES] for name in in_families()]


def moves(height: int, width: int, seed: int) -> list[list[Variant]]:
    """Shifts (in shares of the shorter side, by whole pixels), scales, turns (degrees) and the mirror image."""
    side = min(height, width)
    steps = sorted({max(1, round(share * side)) for share in SHIFTS})
    return [
        [Variant("shift", step / side, partial(_shifted, step, seed)) for step in steps],
        [Variant("scale", scale, partial(_moved, 0.0, scale)) for scale in SCALES],
        [Variant("rotation", degrees, partial(_moved, degrees, 1.0)) for degrees in DEGREES],
        [Variant("mirror", 1.0, lambda image, index: np.ascontiguousarray(image[:, ::-1]))],
    ]


def _shifted(step: int, seed: int, image: Pixels, index: int) -> Pixels:
    """By whole pixels, up, down, left or right, as it is drawn for the picture."""
    random = np.random.default_rng([seed, index, zlib.crc32(b"shift")])
    down, right = DIRECTIONS[int(random.integers(len(DIRECTIONS)))]
    return _as_given(moved(image.astype(np.float32), shift=(step * down, step * right)), image)


def _moved(degrees: float, scale: float, image: Pixels, index: int) -> Pixels:
    return _as_given(moved(image.astype(np.float32), degrees, scale), image)


def _as_given(values: Pixels, image: Pixels) -> Pixels:
    """Of the type of `image`."""
    return np.rint(values).astype(np.uint8) if image.dtype == np.uint8 else values
