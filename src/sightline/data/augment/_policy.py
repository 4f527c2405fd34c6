"""Policies: which operation a picture gets, and how strong. Comes in: choices by name and a share of the largest

strength; goes out: augmented images. The ranges are the papers', as torchvision has them. A policy file is its table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sightline.data.augment import Draw, View
from sightline.data.augment._geometry import MATRICES, WAYS, ways_of
from sightline.data.augment._ops import OPERATIONS, Floats, by_group, each_with

Step = tuple[str, float, int]  # operation, probability, strength 0 to 9
ENHANCEMENTS = ("Brightness", "Color", "Contrast", "Sharpness")


@dataclass(frozen=True)
class Ranges:
    """The strength at which each kind of operation ends."""

    shear: float  # tangent of the angle
    translate: float  # share of the side, or pixels where `in_pixels`
    in_pixels: bool
    rotate: float  # degrees
    enhance: float  # beyond a factor of 1, to either side
    posterize: int  # bits taken away


# Cubuk et al., 2019 and 2020; and Müller and Hutter, 2021
NARROW = Ranges(shear=0.3, translate=150 / 331, in_pixels=False, rotate=30, enhance=0.9, posterize=4)
WIDE = Ranges(shear=0.99, translate=32, in_pixels=True, rotate=135, enhance=0.99, posterize=6)

NAMES = (
    "Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color", "Contrast",
    "Sharpness", "Posterize", "Solarize", "AutoContrast", "Equalize",
)  # fmt: skip


def strengths_of(
    names: NDArray[np.str_], shares: Floats, signs: Floats, ranges: Ranges, size: tuple[int, int]
) -> Floats:
    """What each operation takes, (N,): from shares 0..1 of its range and signs -1 or 1, all (N,)."""
    strengths = np.zeros(len(names))
    signed = shares * signs
    values: Mapping[str, Floats] = {
        "ShearX": ranges.shear * signed,
        "ShearY": ranges.shear * signed,
        "TranslateX": ranges.translate * signed * (1 if ranges.in_pixels else size[1]),
        "TranslateY": ranges.translate * signed * (1 if ranges.in_pixels else size[0]),
        "Rotate": ranges.rotate * signed,
        "Posterize": 8 - np.round(ranges.posterize * shares),
        "Solarize": 255 * (1 - shares),
    } | dict.fromkeys(ENHANCEMENTS, 1 + ranges.enhance * signed)
    for name in np.unique(names):
        if str(name) in values:
            strengths = np.where(names == name, values[str(name)], strengths)
    return strengths


def apply(images: Tensor, names: NDArray[np.str_], strengths: Floats) -> Tensor:
    """One named operation a picture; `Identity` leaves it. Those that move pixels in the same way are done together."""
    groups, matrices = names.astype(object), np.tile(np.eye(2, 3), (len(names), 1, 1))
    for name in set(names.tolist()) & set(MATRICES):
        matrices[names == name] = MATRICES[name](strengths[names == name], (images.shape[2], images.shape[3]))
    is_moved = np.isin(names, list(MATRICES))
    groups[is_moved] = ways_of(matrices[is_moved], images.shape[2:].numel())

    return by_group(images, groups, each_with(OPERATIONS, strengths) | each_with(WAYS, matrices))


def applied(view: View, names: NDArray[np.str_], shares: Floats, signs: Floats, ranges: Ranges) -> View:
    """One operation a picture, on the frame."""
    images = apply(view.images, names, strengths_of(names, shares, signs, ranges, view.frame))
    return view.replaced(images)


def picked(numbers: Floats, count: int) -> NDArray[np.intp]:
    """Uniform numbers in [0, 1) -> places in a list of `count`."""
    return (numbers * count).astype(np.intp)


def signs_of(numbers: Floats) -> Floats:
    """Uniform numbers in [0, 1) -> -1 or 1."""
    return np.where(numbers < 0.5, -1.0, 1.0)


def two_steps(view: View, draw: Draw, purpose: str, table: Sequence[tuple[Step, Step]]) -> View:
    """AutoAugment: each picture draws a pair of steps, and each step happens with its probability."""
    numbers = draw.uniform(purpose, 5)
    pair = picked(numbers[:, 0], len(table))
    for step in range(2):
        name, chance, level = (np.array(column) for column in zip(*(row[step] for row in table), strict=True))
        happens = numbers[:, 1 + step] < chance[pair]
        chosen = np.where(happens, name[pair], "Identity")
        view = applied(view, chosen, level[pair] / 9, signs_of(numbers[:, 3 + step]), NARROW)
    return view
