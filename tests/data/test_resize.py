"""The resize against its definition, and against Pillow's, which networks were trained with."""

from concurrent.futures import ThreadPoolExecutor

import cykooz_resizer
import numpy as np
import pytest
from PIL import Image

from sightline.data import resize as module
from sightline.data.resize import resize

PILLOW = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
SIZES = [((60, 80), (24, 32)), ((61, 83), (24, 50)), ((17, 23), (40, 40)), ((400, 3), (8, 8)), ((1, 1), (5, 5))]


def smooth(height: int, width: int, channels: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    shades = [127 + 120 * np.sin(x / (7 + c) + y / (9 - c) + c) for c in range(channels)]
    return np.stack(shades, axis=-1).astype(np.uint8)


def by_definition(line: np.ndarray, count: int) -> np.ndarray:
    """A line of pixels, weighted by a triangle as wide as the scale (at least one pixel) around each new centre."""
    scale = len(line) / count
    reach = max(scale, 1)
    centres = (np.arange(count) + 0.5) * scale
    distance = np.abs(np.arange(len(line)) + 0.5 - centres[:, None]) / reach
    weights = (1 - distance).clip(0)
    return weights @ line / weights.sum(axis=1)


@pytest.mark.parametrize("count", [3, 7, 10, 25])
def test_bilinear_by_its_definition(count: int) -> None:
    line = np.random.default_rng(0).integers(0, 256, 10)
    expected = by_definition(line, count)
    wide = np.broadcast_to(line[None, :, None], (4, 10, 1))
    np.testing.assert_allclose(resize(wide.astype(np.uint8), 4, count, "bilinear")[0, :, 0], expected, atol=1.01)
    np.testing.assert_allclose(resize(wide.astype(np.float32), 4, count, "bilinear")[0, :, 0], expected, atol=1e-3)
    tall = wide.transpose(1, 0, 2)
    np.testing.assert_allclose(resize(tall.astype(np.float32), count, 4, "bilinear")[:, 0, 0], expected, atol=1e-3)


@pytest.fixture(params=["fast_image_resize", "Pillow"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Either of the two that do the work, depending on the machine."""
    if request.param == "Pillow":
        monkeypatch.setattr(module, "fast", None)
    assert module.name() == request.param
    return str(request.param)


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("interpolation", PILLOW)
@pytest.mark.parametrize(("before", "after"), SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_pillows_but_for_rounding(
    interpolation: str, before: tuple[int, int], after: tuple[int, int], channels: int
) -> None:
    image = smooth(*before, channels)
    picture = Image.fromarray(image[:, :, 0] if channels == 1 else image)
    expected = np.asarray(picture.resize(after[::-1], PILLOW[interpolation])).reshape(*after, channels).astype(int)
    seen = resize(image, *after, interpolation)
    assert seen.dtype == np.uint8
    assert np.abs(seen - expected).max() <= (1 if interpolation == "bilinear" else 2)
    deep = resize(image.astype(np.float32), *after, interpolation)
    assert deep.dtype == np.float32 and deep.min() >= 0 and deep.max() <= 255
    assert np.abs(deep - expected).max() <= (1 if interpolation == "bilinear" else 2)


def test_the_bits_do_not_hang_on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without vector units, in uint8 and in float32."""
    noise = np.random.default_rng(0).integers(0, 256, (123, 157, 3), dtype=np.uint8)

    class Plain(cykooz_resizer.Resizer):
        def __init__(self) -> None:
            super().__init__()
            self.cpu_extensions = cykooz_resizer.CpuExtensions.none

    for image in (noise, noise[:, :, :1], noise.astype(np.float32), noise[:, :, :1].astype(np.float32)):
        for interpolation in PILLOW:
            with_vectors = resize(image, 50, 71, interpolation)
            with monkeypatch.context() as patch:
                patch.setattr(module.fast, "Resizer", Plain)
                np.testing.assert_array_equal(resize(image, 50, 71, interpolation), with_vectors)


def test_threads_agree() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (100, 90, 3), dtype=np.uint8)
    alone = resize(noise, 31, 33, "bilinear")
    with ThreadPoolExecutor(8) as pool:
        for seen in pool.map(lambda _: resize(noise, 31, 33, "bilinear"), range(100)):
            np.testing.assert_array_equal(seen, alone)


def test_views_are_resized_as_they_look() -> None:
    image = smooth(40, 50, 3)
    part = image[5:35, 10:40]
    np.testing.assert_array_equal(resize(part, 12, 12, "bilinear"), resize(part.copy(), 12, 12, "bilinear"))
    mirrored = image[:, ::-1]
    np.testing.assert_array_equal(resize(mirrored, 12, 12, "bilinear"), resize(mirrored.copy(), 12, 12, "bilinear"))
