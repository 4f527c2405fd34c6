"""Scanning: every picture read once, bad ones listed all together, the same hash for the same pixels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.data import open_dataset
from sightline.data.preprocess import Preprocessing
from sightline.data.reading.records import hexadecimal, pixel_hash
from sightline.data.reading.scan import in_threads, scan, survey
from sightline.errors import BadPicturesError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(4):
            pixels = generator.integers(0, 256, (40 + i, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    return tmp_path


def test_all_bad_files_are_found_and_the_rest_is_read(folder: Path) -> None:
    (folder / "a" / "0.png").write_bytes(b"")
    (folder / "b" / "1.png").write_bytes((folder / "b" / "1.png").read_bytes()[:200])
    (folder / "b" / "9.jpg").write_text("not a picture")
    found = scan(open_dataset(folder), Preprocessing(32, 32))
    assert sorted(found.bad) == ["a/0.png", "b/1.png", "b/9.jpg"]
    assert "0 bytes" in found.bad["a/0.png"]
    assert found.canvases is not None
    assert [h == "" for h in hexadecimal(found.records)] == [c is None for c in found.canvases]


def test_hashes_name_pixels_not_files(folder: Path) -> None:
    picture = Image.open(folder / "a" / "2.png")
    picture.save(folder / "a" / "copy.bmp")
    dataset = open_dataset(folder)
    hashes = dict(zip(dataset.paths, hexadecimal(scan(dataset, Preprocessing(16, 16)).records), strict=True))
    assert hashes["a/copy.bmp"] == hashes["a/2.png"]
    assert len(set(hashes.values())) == len(hashes) - 1


def test_hashes_do_not_depend_on_the_networks_size(folder: Path) -> None:
    big = np.random.default_rng(1).integers(0, 256, (1000, 1400, 3), dtype=np.uint8)
    Image.fromarray(big).save(folder / "a" / "big.jpg", quality=90)
    dataset = open_dataset(folder)
    small, large = (scan(dataset, Preprocessing(side, side)).records for side in (16, 400))
    assert (small == large).all()


def test_shape_is_part_of_the_hash() -> None:
    flat = np.zeros((2, 8, 1), np.uint8)
    assert pixel_hash(flat) != pixel_hash(flat.reshape(4, 4, 1))


def test_survey_tells_size_colour_and_statistics(folder: Path) -> None:
    dataset = open_dataset(folder)
    look = survey(dataset, np.arange(len(dataset)))
    assert (look.height, look.width, look.same_size, look.grey) == (41, 50, False, False)
    assert look.mean == pytest.approx((0.5, 0.5, 0.5), abs=0.02)
    assert look.std == pytest.approx((0.29, 0.29, 0.29), abs=0.02)


def test_survey_of_constant_pictures_has_a_usable_std(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("L", (8, 8), 7).save(tmp_path / name / "0.png")
    dataset = open_dataset(tmp_path)
    look = survey(dataset, np.arange(2))
    assert look.grey and look.std[0] > 0


def test_survey_of_nothing_readable_lists_the_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").write_bytes(b"")
    with pytest.raises(BadPicturesError, match=r"a/0\.png"):
        survey(open_dataset(tmp_path), np.arange(2))


def test_in_threads_keeps_order_and_is_lazy() -> None:
    started = []

    def square(x: int) -> int:
        started.append(x)
        return x * x

    results = in_threads(square, range(10_000), num_workers=2)
    assert [next(results) for _ in range(5)] == [0, 1, 4, 9, 16]
    assert len(started) < 100
    results.close()
