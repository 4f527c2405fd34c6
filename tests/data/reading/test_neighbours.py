"""How far pictures of one class look alike, and whether they do in the mirror."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.classifier import from_arrays
from sightline.data import open_dataset
from sightline.data.dataset import Dataset
from sightline.data.packs.cache import Cache
from sightline.data.reading.neighbours import likeness
from sightline.data.reading.scan import survey

GENERATOR = np.random.default_rng(0)


def halves(num: int, side: int = 20, channels: int = 1) -> tuple[list[np.ndarray], np.ndarray]:
    """Bright above or below, on noise."""
    pictures = GENERATOR.integers(0, 60, (num, side, side, channels), dtype=np.uint8)
    labels = np.arange(num) % 2
    for picture, label in zip(pictures, labels, strict=True):
        picture[label * side // 2 :][: side // 2] += 150
    return list(pictures), labels


@pytest.mark.parametrize("channels", [1, 3])
def test_classes_that_look_alike(channels: int) -> None:
    pictures, labels = halves(60, channels=channels)
    assert likeness(pictures, labels).share == 1
    assert likeness([p.astype(np.float32) for p in pictures], labels).share == 1
    assert likeness(pictures, GENERATOR.integers(0, 2, 60)).share < 0.4


def test_sizes_may_differ() -> None:
    small, labels = halves(30, side=12)
    large, _ = halves(30, side=40)
    assert likeness([*small, *large], np.concatenate([labels, labels])).share == 1


def test_by_chance_is_the_commonest_class() -> None:
    pictures = list(GENERATOR.integers(0, 255, (200, 16, 16, 1), dtype=np.uint8))
    rare = (np.arange(200) % 10 == 0).astype(np.int64)  # nine in ten are right by chance
    assert likeness(pictures, rare).share < 0.3


@pytest.mark.parametrize("num", [0, 1, 5])
def test_where_nothing_can_be_compared(num: int) -> None:
    blank = [np.zeros((8, 8, 1), np.uint8)] * num
    assert likeness(blank, np.zeros(num, np.int64)) == (0, False)


def test_blank_pictures_are_no_error() -> None:
    assert 0 <= likeness([np.zeros((8, 8, 1), np.uint8)] * 6, np.arange(6) % 2).share <= 1


def test_what_the_mirror_changes() -> None:
    above, labels = halves(80)
    left = [picture.transpose(1, 0, 2) for picture in above]
    assert likeness(above, labels).in_mirror
    assert not likeness(left, labels).in_mirror


def test_one_class_that_the_mirror_changes_is_enough() -> None:
    """Seven classes are bands at seven heights; the eighth is such a band too, in one half of its width."""
    pictures, labels = [], np.arange(320) % 8
    for label in labels:
        picture = GENERATOR.integers(0, 60, (24, 24, 1), dtype=np.uint8)
        picture[3 * min(label, 6) :][:3, : 12 if label == 7 else 24] += 150
        pictures.append(picture)
    assert not likeness(pictures, labels).in_mirror
    assert likeness([p for p, label in zip(pictures, labels, strict=True) if label < 7], labels[labels < 7]).in_mirror


def test_where_nothing_is_recognised_nothing_is_known_of_the_mirror() -> None:
    pictures = list(GENERATOR.integers(0, 255, (200, 16, 16, 1), dtype=np.uint8))
    assert not likeness(pictures, GENERATOR.integers(0, 2, 200)).in_mirror


def dataset_of(side: int) -> Dataset:
    pictures, labels = halves(300, side)
    return from_arrays(np.stack(pictures)[..., 0], [str(label) for label in labels])


def test_small_pictures_of_one_class_each_are_looked_at() -> None:
    small, large = dataset_of(20), dataset_of(70)
    assert survey(small, np.arange(300)).alike == 1
    assert survey(large, np.arange(300)).alike is None
    several = replace(small, labels=np.eye(2, dtype=np.uint8)[small.labels])
    assert survey(several, np.arange(300)).alike is None


def test_what_is_remembered_is_of_these_labels(tmp_path: Path) -> None:
    pictures, labels = halves(40)
    for i, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        folder = tmp_path / "pictures" / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture[:, :, 0]).save(folder / f"{i:02}.png")
    dataset, cache, rows = open_dataset(tmp_path / "pictures"), Cache(tmp_path / "cache", 10**9, print), np.arange(40)
    assert survey(dataset, rows, cache) == survey(dataset, rows, cache)
    assert survey(dataset, rows, cache).alike == 1
    mixed = replace(dataset, labels=GENERATOR.permutation(dataset.labels))
    assert survey(mixed, rows, cache).alike < 0.5
