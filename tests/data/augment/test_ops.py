"""Each operation against torchvision's of the same name on the same strength, and against hand-computed pictures.

Ours rounds to the nearest grey level where torchvision cuts off, so most may differ by one; the bound of each stands
beside it. Geometry: a place that falls within 1e-4 of a pixel's boundary may round otherwise, so a share is allowed.
"""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torchvision.transforms.v2.functional as V
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode

from sightline.data.augment import _geometry, _ops, _policy
from sightline.data.augment.gaussian_blur import blur

Theirs = Callable[[Tensor, float], Tensor]
BILINEAR = InterpolationMode.BILINEAR


def sheared(x: float, y: float) -> Callable[[Tensor, float], Tensor]:
    def shear(image: Tensor, s: float) -> Tensor:
        degrees = math.degrees(math.atan(s))
        return V.affine(image, 0.0, [0, 0], 1.0, [x * degrees, y * degrees], BILINEAR, center=[0, 0])

    return shear


def moved(x: int, y: int) -> Callable[[Tensor, float], Tensor]:
    return lambda image, s: V.affine(image, 0.0, [x * int(s), y * int(s)], 1.0, [0.0, 0.0], BILINEAR)


FACTORS = (0.0, 0.1, 0.4, 1.0, 1.3, 1.9)
# name -> torchvision's, strengths, and how many grey levels may lie between
PEERS: dict[str, tuple[Theirs, tuple[float, ...], int]] = {
    "Brightness": (V.adjust_brightness, FACTORS, 1),
    "Color": (V.adjust_saturation, FACTORS, 2),  # theirs cuts the luma to a whole number first
    "Contrast": (V.adjust_contrast, FACTORS, 2),  # likewise, before the mean
    "Sharpness": (V.adjust_sharpness, FACTORS, 1),
    "Posterize": (lambda image, s: V.posterize(image, int(s)), (1, 2, 4, 7, 8), 0),
    "Solarize": (V.solarize, (0.0, 0.5, 100.0, 127.5, 255.0), 0),
    "AutoContrast": (lambda image, s: V.autocontrast(image), (0.0,), 1),
    "Equalize": (lambda image, s: V.equalize(image), (0.0,), 0),
    "Invert": (lambda image, s: V.invert(image), (0.0,), 0),
    "ShearX": (sheared(1, 0), (-0.9, -0.1, 0.3), 1),
    "ShearY": (sheared(0, 1), (-0.9, -0.1, 0.3), 1),
    "TranslateX": (moved(1, 0), (-7.9, 3.2, 0.0), 0),
    "TranslateY": (moved(0, 1), (-7.9, 3.2, 0.0), 0),
    "Rotate": (lambda image, s: V.rotate(image, s, BILINEAR), (-135.0, -10.0, 30.0, 90.0), 1),
}


def pictures(n: int = 4, channels: int = 3, size: tuple[int, int] = (40, 33)) -> Tensor:
    """Noise, a gradient, a constant and a narrow range of values."""
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (n, channels, *size), dtype=np.uint8))
    images[1] = torch.linspace(0, 255, size[1]).to(torch.uint8)
    images[2] = 77
    images[3] = images[3] // 4 + 60
    return images


def differences(ours: Tensor, theirs: Tensor) -> Tensor:
    return (ours.float() - theirs.float()).abs()


def test_every_operation_has_a_peer() -> None:
    assert set(PEERS) == set(_ops.OPERATIONS) | set(_geometry.MATRICES)


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(40, 33), (70, 65)])  # on both sides of WORTH_A_WAY
def test_it_is_torchvisions(name: str, channels: int, size: tuple[int, int]) -> None:
    theirs, strengths, bound = PEERS[name]
    images = pictures(channels=channels, size=size)
    for strength in strengths:
        ours = _policy.apply(images, np.array([name] * 4), np.full(4, float(strength)))
        expected = torch.stack([theirs(image, float(strength)) for image in images])
        assert ours.dtype == torch.uint8
        assert differences(ours, expected).max() <= bound, strength


@pytest.mark.parametrize("turns", [-0.5, -0.1, 0.03, 0.25, 0.4])
def test_hue_is_torchvisions(turns: float) -> None:
    images = pictures()
    expected = V.adjust_hue(images, turns)
    assert differences(_ops.hue(images, np.full(4, turns)), expected).max() <= 1


@pytest.mark.parametrize("name", [n for n in PEERS if n not in ("Posterize", "Equalize")])
def test_float_pictures_are_the_same_within_rounding(name: str) -> None:
    strength = 0.2 if "X" in name or "Y" in name else 1.4
    images = pictures()
    names, strengths = np.array([name] * 4), np.full(4, strength)
    whole, exact = _policy.apply(images, names, strengths), _policy.apply(images.float(), names, strengths)
    assert exact.dtype == torch.float32 and exact.min() >= 0 and exact.max() <= 255
    assert differences(whole, exact).max() <= 0.501


@pytest.mark.parametrize(
    ("degrees", "shift", "scale", "shear"),
    [(0, (0, 0), 1, 0), (10, (3, -2), 1.1, -8), (-170, (0, 5), 0.7, 20)],
)
def test_affine_is_torchvisions(degrees: float, shift: tuple[int, int], scale: float, shear: float) -> None:
    images = pictures()
    matrices = _geometry.affines(
        *(np.tile(np.array(v, float), (4,) + (1,) * np.ndim(v)) for v in (degrees, shift, scale, shear))
    )
    expected = V.affine(images, degrees, list(shift), scale, [shear, 0.0], BILINEAR)
    assert differences(_geometry.resample(images, matrices), expected).max() <= 1


@pytest.mark.parametrize("sigma", [0.1, 0.7, 2.0])
@pytest.mark.parametrize("size", [(40, 33), (5, 40)])
def test_blur_is_torchvisions(sigma: float, size: tuple[int, int]) -> None:
    images = pictures(size=size)
    kernel = [2 * min(6, size[1] - 1) + 1, 2 * min(6, size[0] - 1) + 1]
    assert differences(blur(images, np.full(4, sigma)), V.gaussian_blur(images, kernel, [sigma, sigma])).max() <= 1


def matrices_of(way: str) -> np.ndarray:
    """Four of each way's own, of which some lead out of the picture altogether."""
    matrices = np.tile(np.eye(2, 3), (4, 1, 1))
    if way == "shift":
        matrices[:, :, 2] = [(0, 0), (5, -3), (-33, 2), (1, 400)]
    elif way != "any":
        axis = ("along rows", "along columns").index(way)
        matrices[:, axis, 1 - axis], matrices[:, axis, 2] = (0.3, -0.9, 0, 2.5), (0, 3.25, -0.5, 100)
    else:
        matrices = _geometry.rotations(np.array([3.0, -10, 80, 179]))
    return matrices


@pytest.mark.parametrize("way", _geometry.WAYS)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_fast_ways_are_the_sampling_in_two_dimensions(way: str, dtype: torch.dtype, channels: int) -> None:
    matrices = matrices_of(way)
    images = pictures(channels=channels).to(dtype)
    assert set(_geometry.ways_of(matrices[:2], 2**20)) == {way} and set(_geometry.ways_of(matrices, 100)) == {"any"}
    ours, general = _geometry.WAYS[way](images, matrices), _geometry.WAYS["any"](images, matrices)
    assert ours.dtype == dtype
    # float32 places are off by 1e-5 pixels, which between noisy neighbours is a hundredth of a grey level
    assert differences(ours, general).max() <= (1 if dtype == torch.uint8 else 0.02)


def test_ways_are_told_by_the_matrix() -> None:
    turn, half = _geometry.rotations(np.array([5.0])), np.array([[[1, 0, 0.5], [0, 1, 0]]])
    both = np.array([[[1, 0.1, 0], [0.1, 1, 0]]])
    larger = np.array([[[1.1, 0, 0], [0, 1, 0]]])
    assert list(_geometry.ways_of(np.concatenate([turn, half, both, larger]), 2**20)) == [
        "any",
        "along rows",
        "any",
        "any",
    ]


@pytest.mark.parametrize("channels", [1, 3])
def test_levels_are_looked_up(channels: int) -> None:
    """By a table for each picture, or for each of its channels; two routes to one answer."""
    images = pictures(channels=channels)
    for count in {1, channels}:
        tables = torch.from_numpy(np.random.default_rng(2).integers(0, 256, (4, count, 1, 256), dtype=np.uint8))
        expected = tables.expand(-1, channels, -1, -1).flatten(2).gather(2, images.flatten(2).long()).view(images.shape)
        assert torch.equal(_ops.looked_up(images, tables), expected)


@pytest.mark.parametrize("size", [(20, 30), (100, 101)])  # on both sides of where counting changes
def test_levels_are_counted(size: tuple[int, int]) -> None:
    pieces = pictures(size=size).flatten(0, 1).flatten(1)
    expected = np.stack([np.bincount(piece, minlength=256) for piece in pieces.numpy()])
    assert np.array_equal(_ops._counts(pieces).numpy(), expected)


def test_a_blur_depends_on_its_own_sigma_alone() -> None:
    images, sigmas = pictures().float(), np.array([0.0, 0.3, 0.9, 2.0])
    together = blur(images, sigmas)
    assert torch.equal(together[0], images[0])
    for n in range(4):
        assert torch.equal(together[n : n + 1], blur(images[n : n + 1], sigmas[n : n + 1]))


def one(values: list[list[int]]) -> Tensor:
    return torch.tensor(values, dtype=torch.uint8)[None, None]


@pytest.mark.parametrize(
    ("name", "strength", "before", "after"),
    [
        ("Brightness", 1.5, [[0, 100, 200]], [[0, 150, 255]]),
        ("Contrast", 0.5, [[0, 100, 200]], [[50, 100, 150]]),
        ("Posterize", 2, [[63, 64, 200]], [[0, 64, 192]]),
        ("Solarize", 128, [[127, 128, 255]], [[127, 127, 0]]),
        ("AutoContrast", 0, [[50, 75, 100]], [[0, 128, 255]]),
        ("Invert", 0, [[0, 100, 255]], [[255, 155, 0]]),
        ("TranslateX", 1, [[1, 2, 3]], [[0, 1, 2]]),
        ("Rotate", 90, [[1, 2], [3, 4]], [[2, 4], [1, 3]]),  # counter-clockwise
        ("ShearX", 1, [[8, 8, 8, 8]] * 3, [[8, 8, 8, 4], [8, 8, 4, 0], [8, 4, 0, 0]]),  # half a pixel at the first row
    ],
)
def test_by_hand(name: str, strength: float, before: list[list[int]], after: list[list[int]]) -> None:
    assert _policy.apply(one(before), np.array([name]), np.array([float(strength)])).tolist() == [[after]]


def test_hue_by_hand() -> None:
    """A third of the circle leads from red to green, a sixth to yellow."""
    red = torch.tensor([200, 20, 20], dtype=torch.uint8).view(1, 3, 1, 1)
    assert _ops.hue(red, np.array([1 / 3])).flatten().tolist() == [20, 200, 20]
    assert _ops.hue(red, np.array([1 / 6])).flatten().tolist() == [200, 200, 20]


def test_each_picture_has_its_own_operation_and_strength() -> None:
    """One call with all operations equals one call each, in blocks of any size."""
    names = np.array([*PEERS, "Identity", *PEERS])
    strengths = np.linspace(1, 1.9, len(names))
    images = pictures().repeat(8, 1, 1, 1)[: len(names)]
    together = _policy.apply(images, names, strengths)
    for i in range(len(names)):
        alone = _policy.apply(images[i : i + 1], names[i : i + 1], strengths[i : i + 1])
        assert torch.equal(together[i : i + 1], alone), names[i]


@pytest.mark.parametrize("block", [1, 5000, 10**9])
def test_blocks_change_nothing(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures().repeat(8, 1, 1, 1)
    names, strengths = np.array([*PEERS, *PEERS, *PEERS][:32]), np.linspace(1, 1.9, 32)
    expected = _policy.apply(images, names, strengths)
    monkeypatch.setattr(_ops, "BLOCK", block)
    assert torch.equal(_policy.apply(images, names, strengths), expected)


def test_the_memory_layout_changes_nothing() -> None:
    images = pictures()
    names = np.array(["Color", "Rotate", "Equalize", "Sharpness"])
    expected = _policy.apply(images, names, np.full(4, 1.4))
    last = images.contiguous(memory_format=torch.channels_last)
    assert torch.equal(_policy.apply(last, names, np.full(4, 1.4)), expected)
