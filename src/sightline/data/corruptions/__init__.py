"""Corruptions that pictures meet in use: one file, one corruption, five severities (Hendrycks and Dietterich, 2019).

Comes in: a picture as a network is given it, (H, W, C) uint8 or float32 0..255; goes out: the same, corrupted, of the
same shape and type. A function of (seed, index of the picture, name, severity) alone. The severities of a picture share
their random numbers, so that a stronger one is never the weaker by luck. Must not know torch, networks or files.

Each module exposes `FAMILY` (one of FAMILIES), `MEANING` (what it stands for, a phrase) and `corrupt(image, level,
random)`: float32 0..1 (H, W, C), a Level and a numpy generator -> float32 (H, W, C), which is clipped to 0..1
afterwards.
"""

import zlib

import numpy as np

from sightline.data.corruptions._levels import SEVERITIES, Level
from sightline.data.decoding import Pixels
from sightline.registry import Registry

__all__ = ["CORRUPTIONS", "FAMILIES", "MIN_SIDE", "SEVERITIES", "corrupted", "in_families"]

CORRUPTIONS = Registry("sightline.data.corruptions", "corruption", ("FAMILY", "MEANING", "corrupt"))
FAMILIES = ("noise", "blur", "weather", "digital")
MIN_SIDE = 8  # pixels; the blur of a smaller picture would be longer than the picture


def in_families() -> list[str]:
    """The names of all corruptions, those of a family together."""
    return sorted(CORRUPTIONS.names(), key=lambda name: (FAMILIES.index(CORRUPTIONS.get(name).FAMILY), name))


def corrupted(image: Pixels, name: str, severity: int, seed: int, index: int) -> Pixels:
    """(H, W, C) uint8 or float32 0..255 -> the same under a corruption of severity 1 to 5.

    `index`: of the picture in its set. Raises ConfigError for an unknown name.
    """
    module = CORRUPTIONS.get(name)
    height, width = image.shape[:2]
    assert severity in SEVERITIES and min(height, width) >= MIN_SIDE, (severity, image.shape)
    random = np.random.default_rng([seed & 0xFFFFFFFFFFFFFFFF, index, zlib.crc32(name.encode())])
    level = Level(severity, float(height * width) ** 0.5)
    found = module.corrupt(image.astype(np.float32) / np.float32(255), level, random)
    values: Pixels = found.clip(0, 1).astype(np.float32, copy=False) * np.float32(255)
    return np.rint(values).astype(np.uint8) if image.dtype == np.uint8 else values
