"""Measures against numbers worked out by hand, and against a blur of known width."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from sightline.data.reading.measures import LARGE, MEASURED_SIDE, MEASURES, NUM_BANDS, measure


def grey(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.uint8)[:, :, None]


def stripes(height: int, width: int, sigma: float) -> np.ndarray:
    """Vertical stripes of 29 pixels, blurred by a Gaussian."""
    pixels = np.where(np.arange(width) // 29 % 2, 220, 30) * np.ones((height, 1))
    picture = Image.fromarray(pixels.astype(np.uint8))
    return grey(np.asarray(picture.filter(ImageFilter.GaussianBlur(sigma)) if sigma else picture))


def test_levels_by_hand() -> None:
    values = np.full((10, 20), 100)
    values[0, :4] = (0, 0, 255, 255)  # 1 % of the pixels black, 1 % white
    (found,) = measure([grey(values)])
    assert found["mean"] == pytest.approx((196 * 100 + 2 * 255) / 200)
    assert found["std"] == pytest.approx(values.std(), rel=1e-5)
    assert (found["low"], found["high"]) == (0, 100)


def test_colour_counts_as_luma() -> None:
    (found,) = measure([np.full((8, 8, 3), (200, 100, 50), np.uint8)])
    assert found["mean"] == pytest.approx(0.299 * 200 + 0.587 * 100 + 0.114 * 50, abs=0.6)
    assert (found["std"], found["blur"]) == (0, 0)


@pytest.mark.parametrize("side", [80, 3 * NUM_BANDS, 200])
@pytest.mark.parametrize("sigma", [1.5, 2.5, 4.0])
def test_blur_is_the_gaussians_sigma(side: int, sigma: float) -> None:
    (found,) = measure([stripes(side, 256, sigma)])
    assert found["blur"] == pytest.approx(sigma, rel=0.15)
    (turned,) = measure([stripes(side, 256, sigma).transpose(1, 0, 2)])
    assert turned["blur"] == pytest.approx(sigma, rel=0.25)  # not all of its edges fall into the bands


def test_a_sharp_edge_has_a_blur_of_half_a_pixel_whatever_its_contrast() -> None:
    sharp = stripes(64, 256, 0)
    for contrast in (1.0, 0.25):
        (found,) = measure([(sharp * contrast).astype(np.uint8)])
        assert found["blur"] == pytest.approx(0.5, abs=0.01)


def test_pictures_measured_together_and_alone_are_the_same() -> None:
    generator = np.random.default_rng(0)
    shapes = [(32, 32, 3), (32, 32, 1), (300, 400, 3), (32, 32, 3), (1, 50, 1), (1, 1, 3), (2, 2, 1), (97, 5, 3)]
    pictures = [generator.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]
    together = measure(pictures)
    assert together.dtype == MEASURES
    for picture, found in zip(pictures, together, strict=True):
        assert found == measure([picture])[0]


def test_a_large_picture_is_measured_as_a_network_sees_it() -> None:
    """Twice as large and twice as blurred is the same picture."""
    picture = stripes(MEASURED_SIDE, MEASURED_SIDE, 1.5)
    small, large = measure([picture, picture.repeat(4, axis=0).repeat(4, axis=1)])
    assert large == small
    (blurred,) = measure([stripes(2 * MEASURED_SIDE, 4 * MEASURED_SIDE, 6.0)])
    assert blurred["blur"] == pytest.approx(3.0, rel=0.15)


def test_rounding_is_no_edge() -> None:
    ramp = np.linspace(100, 104, 200) * np.ones((64, 1))
    assert measure([grey(ramp)])[0]["blur"] == 0


def test_large_pictures_are_counted_as_small_ones_are() -> None:
    """The levels of a picture do not depend on which of the two counts of grey levels is taken."""
    small = np.random.default_rng(0).integers(0, 200, (32, 32, 1), dtype=np.uint8)
    large = np.tile(small, (3, 4, 1))  # 96 x 128 > LARGE
    assert small.size < LARGE < large.size
    one, other = measure([small]), measure([large])
    for name in ("low", "high"):
        assert one[name] == other[name]
    for name in ("mean", "std"):
        assert one[name] == pytest.approx(other[name], rel=1e-6)
