"""Pictures moved: sampled bilinearly where a matrix of each picture's own says, black beyond the picture.

Comes in: images uint8 or float32 0..255 (n, C, H, W) and `matrices` float64 (n, 2, 3), which lead from a place in the
result to one in the picture, both (x, y) in pixels from the picture's middle; goes out: images of the same shape and
type. What the policies ask for are mostly shifts by whole pixels and shears along one axis, which need no sampling in
two dimensions: of one matrix all ways give the same, within rounding. Must not know what draws matrices.
"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from sightline.data.augment._ops import Floats, Operation, by_group, each_with, indexed, planar, rounded, working

# Pixels of a picture from which on a way of its own is faster: of fewer, a call takes longer than the sampling.
WORTH_A_WAY = 2**12


def resample(images: Tensor, matrices: Floats) -> Tensor:
    """Each picture by its matrix."""
    return by_group(images, ways_of(matrices, images.shape[2:].numel()), each_with(WAYS, matrices))


def ways_of(matrices: Floats, num_pixels: int) -> NDArray[np.object_]:
    """Matrices (n, 2, 3) of pictures of so many pixels -> for each the fastest of WAYS that can follow it, (n,)."""
    if num_pixels < WORTH_A_WAY:
        return np.full(len(matrices), "any", object)
    (wider, across, right), (up, higher, down) = (matrices - np.eye(2, 3)).transpose(1, 2, 0) != 0
    is_scaled = wider | higher
    is_whole = (matrices[:, :, 2] % 1 == 0).all(axis=1)
    return np.select(
        [~(is_scaled | across | up) & is_whole, ~(is_scaled | up | down), ~(is_scaled | across | right)],
        ["shift", "along rows", "along columns"],
        "any",
    ).astype(object)


def _shifted(images: Tensor, matrices: Floats) -> Tensor:
    """By whole pixels: nothing is interpolated."""
    height, width = images.shape[2:]
    done = torch.zeros_like(images)
    ends = np.array([width, height])
    for target, picture, offset in zip(indexed(done), indexed(images), matrices[:, :, 2], strict=True):
        x, y = np.clip(offset, -ends, ends).astype(int).tolist()
        target[:, max(0, -y) : height - max(0, y), max(0, -x) : width - max(0, x)] = picture[
            :, max(0, y) : height - max(0, -y), max(0, x) : width - max(0, -x)
        ]
    return done


def _along_rows(images: Tensor, matrices: Floats) -> Tensor:
    """Each row along itself: the whole pixels as a window of memory, the rest between neighbours."""
    n, channels, height, width = images.shape
    offsets = matrices[:, 0, 1, None] * (np.arange(height) - (height - 1) / 2) + matrices[:, 0, 2, None]  # (n, H)
    whole = np.floor(offsets)
    reach = int(min(np.abs(whole).max() + 1, width + 1))
    padded = F.pad(images, (reach, reach))
    starts = (width + 2 * reach) * np.arange(n * channels * height).reshape(n, channels, height)
    starts += np.clip(whole, -reach, reach - 1).astype(np.int64)[:, None] + reach
    windows = padded.view(-1).as_strided((padded.numel() - width, width + 1), (1, 1))
    rows = working(windows.index_select(0, torch.from_numpy(starts).view(-1).to(images.device)))
    left = rows[:, :-1].view_as(rows[:, 1:])
    share = np.broadcast_to((offsets - whole)[:, None], starts.shape).astype(np.float32).reshape(-1, 1)
    between = (rows[:, 1:] - left).mul_(torch.from_numpy(share).to(images.device)).add_(left)
    return rounded(between, images.dtype).view(images.shape)


def _along_columns(images: Tensor, matrices: Floats) -> Tensor:
    turned = planar(images.transpose(2, 3))
    return planar(_along_rows(turned, matrices[:, ::-1, [1, 0, 2]]).transpose(2, 3))


def _anywhere(images: Tensor, matrices: Floats) -> Tensor:
    height, width = images.shape[2:]
    across, down = np.arange(width) - (width - 1) / 2, np.arange(height) - (height - 1) / 2
    # x and y as a complex number, which torch adds five times as fast as it writes every second number
    a, b, c = np.tensordot(np.array([2 / width, 2j / height]), matrices, axes=(0, 1)).T[:, :, None]  # (n, 1) each
    along, rest = (torch.from_numpy(v.astype(np.complex64)).to(images.device) for v in (a * across, b * down + c))
    grid = torch.view_as_real(along[:, None, :] + rest[:, :, None])  # (n, H, W, 2)
    return rounded(F.grid_sample(working(images), grid, align_corners=False), images.dtype)


WAYS: Mapping[str, Operation] = {
    "shift": _shifted,
    "along rows": _along_rows,
    "along columns": _along_columns,
    "any": _anywhere,
}


def rotations(degrees: Floats) -> Floats:
    """Matrices (n, 2, 3) that turn a picture about its middle, counter-clockwise."""
    angle = np.deg2rad(degrees)
    cos, sin, zero = np.cos(angle), np.sin(angle), np.zeros(len(angle))
    return np.stack([np.stack([cos, -sin, zero], 1), np.stack([sin, cos, zero], 1)], 1)


def affines(degrees: Floats, shift: Floats, scale: Floats, shear: Floats) -> Floats:
    """Matrices (n, 2, 3) that shear by degrees along x, scale, turn clockwise by `degrees` and shift by pixels (n, 2).

    All about the middle, as torchvision's `affine`.
    """
    angle, lean = np.deg2rad(degrees), np.tan(np.deg2rad(shear))
    cos, sin = np.cos(angle), np.sin(angle)
    forward = np.stack([np.stack([cos, -cos * lean - sin], 1), np.stack([sin, -sin * lean + cos], 1)], 1)
    inverse = np.linalg.inv(forward * scale[:, None, None])
    return np.concatenate([inverse, -inverse @ shift[:, :, None]], axis=2)


def _leaning(tangents: Floats, size: tuple[int, int], axis: int) -> Floats:
    """Shear along x (axis 0) or y; the first row or column stays, as in the policies' papers and in torchvision."""
    matrices = np.tile(np.eye(2, 3), (len(tangents), 1, 1))
    matrices[:, axis, 1 - axis] = tangents
    matrices[:, axis, 2] = tangents * size[axis] / 2
    return matrices


def _moved(pixels: Floats, axis: int) -> Floats:
    matrices = np.tile(np.eye(2, 3), (len(pixels), 1, 1))
    matrices[:, axis, 2] = -np.trunc(pixels)
    return matrices


# name -> (strengths (n,), (height, width)) -> matrices: the names of the AutoAugment paper
MATRICES: Mapping[str, Callable[[Floats, tuple[int, int]], Floats]] = {
    "ShearX": lambda s, size: _leaning(s, size, 0),
    "ShearY": lambda s, size: _leaning(s, size, 1),
    "TranslateX": lambda s, size: _moved(s, 0),
    "TranslateY": lambda s, size: _moved(s, 1),
    "Rotate": lambda s, size: rotations(s),
}
