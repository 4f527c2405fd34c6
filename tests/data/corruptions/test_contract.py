"""What every corruption keeps: shape, type, range, determinism, and that a severer one is no weaker."""

import itertools

import numpy as np
import pytest
from PIL import Image

from sightline.data.corruptions import CORRUPTIONS, FAMILIES, SEVERITIES, corrupted, in_families
from sightline.data.corruptions._levels import Level
from sightline.data.preprocess import Pixels

SIZES = [(8, 8), (28, 28), (64, 48), (224, 224)]
# The fewer pixels, the more pictures leave as little to chance.
NUM = dict(zip(SIZES, (100, 30, 30, 2), strict=True))
NAMES = in_families()
# A step may be nothing (motion blur at 32 px), or be lost in the grid of pixels: of pixelated pictures those of two
# thirds of the side, whose pixels end where the picture's middles are, are the furthest, by Pillow as by this.
HARDLY = 0.8


def picture(height: int, width: int, channels: int = 3, seed: int = 0) -> Pixels:
    """Smooth patches with edges, as photographs have them, and a little texture."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (5, 5, channels), dtype=np.uint8)
    planes = [
        Image.fromarray(coarse[:, :, c]).resize((width, height), Image.Resampling.BICUBIC) for c in range(channels)
    ]
    pixels = np.stack([np.asarray(plane) for plane in planes], axis=2).astype(np.float64)
    for _ in range(6):  # edges anywhere, so that none is favoured by a grid of pixels
        top, left = int(random.integers(height)), int(random.integers(width))
        pixels[top : top + max(2, height // 3), left : left + max(2, width // 4)] *= 0.6
    return (pixels + random.normal(0, 4, pixels.shape)).clip(0, 255).astype(np.uint8)


def distance(first: Pixels, second: Pixels) -> float:
    """In grey levels, the root of the mean square."""
    return float(np.sqrt(((first.astype(np.float64) - second) ** 2).mean()))


def test_the_fifteen_are_there_in_their_families() -> None:
    families = {name: [n for n in NAMES if name == CORRUPTIONS.get(n).FAMILY] for name in FAMILIES}
    assert {name: len(found) for name, found in families.items()} == {"noise": 3, "blur": 4, "weather": 4, "digital": 4}
    assert all(CORRUPTIONS.get(name).MEANING for name in NAMES)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_shape_type_and_range_are_kept_in_grey_and_colour_and_deep(name: str, size: tuple[int, int]) -> None:
    for channels in (1, 3):
        plain = picture(*size, channels)
        deep = plain.astype(np.float32) + np.float32(0.25) * (plain < 255)
        for image in (plain, deep):
            kept = image.copy()
            found = corrupted(image, name, 3, 0, 0)
            assert found.shape == image.shape and found.dtype == image.dtype
            assert found.min() >= 0 and found.max() <= 255
            assert not np.array_equal(found, image)
            assert np.array_equal(image, kept), "the picture itself was written to"


@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_function_of_seed_index_name_and_severity(name: str) -> None:
    image = picture(28, 28)
    found = corrupted(image, name, 2, 7, 3)
    corrupted(picture(8, 8), name, 5, 1, 1)  # whatever comes between
    assert np.array_equal(corrupted(image, name, 2, 7, 3), found)
    others = [corrupted(image, name, 2, 7, 4), corrupted(image, name, 2, 8, 3)]
    without_chance = {"brightness", "contrast", "defocus_blur", "jpeg", "pixelate", "zoom_blur"}
    assert [np.array_equal(other, found) for other in others] == [name in without_chance] * 2


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_a_severer_one_is_further_from_the_picture(name: str, size: tuple[int, int]) -> None:
    images = [picture(*size, seed=seed) for seed in range(NUM[size])]
    far = [
        np.mean([distance(corrupted(image, name, severity, 0, i), image) for i, image in enumerate(images)])
        for severity in SEVERITIES
    ]
    assert all(later >= HARDLY * earlier for earlier, later in itertools.pairwise(far)), far
    assert far[-1] > 1.1 * far[0], far


@pytest.mark.parametrize("name", NAMES)
def test_grey_colour_and_deep_pictures_are_corrupted_alike(name: str) -> None:
    """A picture of more bits is what the one of 8 bits is, within its rounding."""
    image = picture(32, 32)
    plain, deep = corrupted(image, name, 4, 0, 0), corrupted(image.astype(np.float32), name, 4, 0, 0)
    assert distance(plain, deep) < 0.5


@pytest.mark.parametrize("name", ["defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "elastic", "pixelate"])
def test_a_plain_surface_stays_as_it_is_under_what_only_moves_light(name: str) -> None:
    image = np.full((20, 30, 3), 77, np.uint8)
    for severity in SEVERITIES:
        assert np.array_equal(corrupted(image, name, severity, 0, 0), image)


def test_levels_are_the_published_ones_at_their_sizes_and_between_them_in_between() -> None:
    small, large = (1.0, 2.0, 3.0, 4.0, 5.0), (4.0, 8.0, 12.0, 16.0, 20.0)
    assert Level(2, 32).strength(small, large) == 2 and Level(2, 224).strength(small, large) == pytest.approx(8)
    assert Level(2, (32 * 224) ** 0.5).strength(small, large) == pytest.approx(4)
    assert Level(2, 8).strength(small, large) == Level(2, 8).length(small, large) == 2
    assert Level(2, 448).strength(small, large) == pytest.approx(8)
    assert Level(2, 448).length(small, large) == pytest.approx(16)


def test_noise_has_the_published_strength() -> None:
    grey = np.full((32, 32, 3), 128, np.uint8)
    found = [corrupted(grey, "gaussian_noise", 5, 0, i).astype(np.float64) - 128 for i in range(20)]
    assert np.std(found) == pytest.approx(25.5, rel=0.02)  # 0.10 of 255
    shot = [corrupted(grey, "shot_noise", 5, 0, i).astype(np.float64) for i in range(20)]
    assert np.std(shot) == pytest.approx(255 * (128 / 255 / 50) ** 0.5, rel=0.03)  # Poisson of 50 quanta a white pixel
    lost = np.mean([corrupted(grey, "impulse_noise", 5, 0, i) != 128 for i in range(20)])
    assert lost == pytest.approx(0.07, rel=0.05)
