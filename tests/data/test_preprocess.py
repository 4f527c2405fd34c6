"""Geometry and colours of the one preprocessing."""

import numpy as np
import pytest
from PIL import Image

from sightline.data.preprocess import Preprocessing, centre_crop
from sightline.errors import ConfigError


def ramp(height: int, width: int, channels: int = 3) -> np.ndarray:
    """Red grows to the right, green downwards."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, :, 0] = np.linspace(0, 255, width).astype(np.uint8)
    image[:, :, 1] = np.linspace(0, 255, height).astype(np.uint8)[:, None]
    return image[:, :, :channels]


def test_a_picture_of_the_right_size_is_untouched() -> None:
    image = ramp(32, 32)
    for fit in ("crop", "pad", "squash"):
        assert np.array_equal(Preprocessing(32, 32, 3, fit).apply(image), image)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (17, 400), (500, 500), (33, 32)])
@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
@pytest.mark.parametrize("fraction", [1.0, 0.875])
def test_any_size_comes_out_as_the_frame(shape: tuple[int, int], fit: str, fraction: float) -> None:
    preprocessing = Preprocessing(32, 48, 3, fit, fraction)
    image = ramp(*shape)
    assert preprocessing.apply(image).shape == (32, 48, 3)
    canvas = preprocessing.canvas(image)
    assert np.array_equal(preprocessing.apply(image), centre_crop(canvas, 32, 48))
    assert canvas.nbytes <= 4 * 2 * 32 * 48 * 3


def test_crop_agrees_with_scaling_the_short_side_and_cutting_the_middle() -> None:
    image = ramp(100, 150)
    scaled = np.asarray(Image.fromarray(image).resize((384, 256), Image.Resampling.BILINEAR))
    expected = scaled[16:240, 80:304]
    assert np.abs(Preprocessing(224, 224, crop_fraction=0.875).apply(image).astype(int) - expected).max() <= 1


def test_pad_keeps_long_objects_whole_on_the_mean_colour() -> None:
    image = np.full((10, 100, 3), 200, np.uint8)
    padded = Preprocessing(50, 50, 3, "pad", mean=(0.2, 0.4, 0.6)).apply(image)
    assert (padded[22:27] == 200).all()  # 100 -> 50 wide, so 10 -> 5 high, at rows 22 to 26
    assert (padded[:22] == [51, 102, 153]).all() and (padded[27:] == [51, 102, 153]).all()


def test_grey_and_colour_turn_into_each_other() -> None:
    grey = np.full((8, 8, 1), 90, np.uint8)
    assert (Preprocessing(8, 8, 3).apply(grey) == 90).all()
    colour = np.zeros((8, 8, 3), np.uint8)
    colour[..., 1] = 100
    assert (Preprocessing(8, 8, 1).apply(colour) == 59).all()  # 0.587 of green, ITU-R 601


def test_affine_is_the_normalisation() -> None:
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    scale, shift = Preprocessing(mean=mean, std=std).affine()
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 5)).astype(np.float32)
    expected = (pixels / 255 - np.array(mean)[:, None, None]) / np.array(std)[:, None, None]
    assert np.allclose(pixels * scale + shift, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"height": 0}, "at least 1 pixel"),
        ({"channels": 4}, "channels = 4"),
        ({"crop_fraction": 0.0}, "crop_fraction"),
        ({"interpolation": "nearest"}, "must be one of bilinear, bicubic"),
        ({"mean": (0.1, 0.2)}, "2 values for 3 channels"),
        ({"std": (0.0,)}, "must be positive"),
    ],
)
def test_impossible_values_are_named(values: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Preprocessing(**values)


@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
@pytest.mark.parametrize("channels", [1, 3])
def test_deep_pictures_go_the_same_way(fit: str, channels: int) -> None:
    """float32 in, float32 out: the numbers are those of uint8 but for its rounding."""
    preprocessing = Preprocessing(32, 48, channels, fit, 0.875)
    for image in (ramp(100, 90), ramp(20, 70)[:, :, :1]):
        deep = preprocessing.apply(image.astype(np.float32))
        assert deep.dtype == np.float32 and deep.shape == (32, 48, channels)
        assert np.abs(deep - preprocessing.apply(image)).max() <= 1.5  # grey, then each pass, rounds


def test_what_16_bits_tell_apart_stays_apart() -> None:
    """An X-ray of 12 bits in a 16-bit file uses sixteen of 256 grey levels; the 4,096 must get through."""
    image = (np.arange(4096, dtype=np.float32) / 257).reshape(64, 64, 1)
    assert len(np.unique(Preprocessing(64, 64, 1).apply(image))) == 4096
    assert len(np.unique(Preprocessing(32, 32, 1).apply(image))) > 1000
    grey = Preprocessing(64, 64, 1).apply(np.repeat(image, 3, axis=2))
    np.testing.assert_allclose(grey, image, rtol=1e-6)


def test_grey_is_pillows_to_the_bit() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8)
    grey = Preprocessing(50, 50, 1).apply(colours)
    np.testing.assert_array_equal(grey[:, :, 0], np.asarray(Image.fromarray(colours).convert("L")))


@pytest.mark.parametrize("shape", [(90, 130), (300, 40), (40, 300), (33, 37), (700, 500)])
@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
@pytest.mark.parametrize("fraction", [1.0, 0.875])
def test_the_window_is_where_pixels_come_from(shape: tuple[int, int], fit: str, fraction: float) -> None:
    """Pixels that hold their own place, in percent of the side, come out at the place that the window tells."""
    preprocessing = Preprocessing(32, 48, 3, fit, fraction)
    image = np.zeros((*shape, 3), np.float32)
    image[:, :, 0] = 100 * (np.arange(shape[1]) + 0.5) / shape[1]
    image[:, :, 1] = 100 * (np.arange(shape[0]) + 0.5)[:, None] / shape[0]
    seen, window = preprocessing.apply(image), preprocessing.window(*shape)
    rows = window.top + (np.arange(32) + 0.5) * window.height / 32
    columns = window.left + (np.arange(48) + 0.5) * window.width / 48
    steps = window.height / 32, window.width / 48
    for axis, places, side, step in ((1, rows[:, None], shape[0], steps[0]), (0, columns[None], shape[1], steps[1])):
        expected = np.broadcast_to(100 * places / side, (32, 48))
        # Within the picture, and not so near its edge that what is averaged there reaches beyond it.
        inside = (rows[:, None] > 0) & (rows[:, None] < shape[0]) & (columns > 0) & (columns < shape[1])
        inside &= np.abs(expected - 50) < 50 - 100 * max(2.0, step) / side
        assert inside.any()
        np.testing.assert_allclose(seen[:, :, axis][inside], expected[inside], atol=0.3)
