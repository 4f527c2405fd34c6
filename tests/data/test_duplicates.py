"""Near-duplicates: each kind of copy found, look-alikes not, crowds bounded, the same answer whatever the chunks."""

import io

import numpy as np
import pytest
from PIL import Image

from sightline.data.duplicates import SIGNATURE_BYTES, groups, near_pairs, signatures
from sightline.data.preprocess import Pixels


def picture(seed: int, height: int = 96, width: int = 120) -> Image.Image:
    """A cloud of natural spectrum, amplitude 1 / frequency, in colour."""
    generator = np.random.default_rng(seed)
    radius = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.fft.fftfreq(width)[None] * width)
    channels = []
    shared = generator.normal(size=(height, width))
    for _ in range(3):
        noise = shared + 0.3 * generator.normal(size=(height, width))
        cloud = np.fft.ifft2(np.fft.fft2(noise) / np.maximum(radius, 1)).real
        channels.append(128 + 45 * (cloud - cloud.mean()) / cloud.std())
    return Image.fromarray(np.clip(np.stack(channels, axis=2), 0, 255).astype(np.uint8))


def pixels(image: Image.Image) -> Pixels:
    array = np.array(image)
    return array if array.ndim == 3 else array[:, :, None]


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file)


def pairs_of(images: list[Image.Image]) -> list[list[int]]:
    return near_pairs(signatures([pixels(image) for image in images])).tolist()


def test_nothing_and_one_picture_have_no_pairs() -> None:
    assert signatures([]).shape == (0, SIGNATURE_BYTES)
    assert near_pairs(signatures([])).shape == (0, 2)
    assert pairs_of([picture(0)]) == []
    assert groups(np.zeros((0, 2), np.int64), 0).tolist() == []


@pytest.mark.parametrize("size", [(96, 120), (32, 32), (300, 200)])
def test_different_pictures_are_not_paired(size: tuple[int, int]) -> None:
    assert pairs_of([picture(seed, *size) for seed in range(60)]) == []
