"""Maps that know nothing of the network: what a method must beat. One by chance, and one that points at the middle."""

from collections.abc import Callable

import numpy as np

from sightline.data.warp import Floats
from sightline.explainers._frame import in_frame

CELLS = 7  # a side, as in the maps of last stages


def by_chance(num: int, height: int, width: int, seed: int) -> Floats:
    """(num, height, width): smooth, as maps by stages are."""
    coarse = np.random.default_rng([seed, 0xC4A]).random((num, CELLS, CELLS), np.float32)
    return in_frame(coarse, (height, width))


def middle(num: int, height: int, width: int, seed: int) -> Floats:
    """(num, height, width): a blob of a quarter of the sides in the middle; people put there what they photograph."""
    y, x = np.mgrid[:height, :width]
    away = ((y + 0.5) / height - 0.5) ** 2 + ((x + 0.5) / width - 0.5) ** 2
    return np.repeat(np.exp(-away / (2 * 0.25**2))[None], num, axis=0).astype(np.float32)


CONTROLS: dict[str, Callable[[int, int, int, int], Floats]] = {"random": by_chance, "middle": middle}
