"""What one reading tells for a check: the same by threads and by processes, and hashes only where they are needed."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from threadpoolctl import threadpool_info

from sightline import open_dataset
from sightline.data.copies import candidates
from sightline.data.copies.duplicates import near_pairs
from sightline.data.copies.signature import SIGNATURE_BYTES, first_alike, signatures
from sightline.data.dataset import ArrayImages, Dataset
from sightline.data.preprocess import Pixels
from sightline.data.reading import looks
from sightline.data.reading.luma import luma
from sightline.data.reading.measures import measure
from sightline.data.reading.records import pixel_hash


def dataset_of(pictures: list[np.ndarray]) -> Dataset:
    paths = [f"{i}" for i in range(len(pictures))]
    return Dataset("here", "by hand", ArrayImages(pictures), paths, np.arange(len(pictures)) % 2, ("a", "b"))


def pictures(num: int, seed: int = 0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.integers(0, 256, (24, 40, 3), dtype=np.uint8) for _ in range(num)]


def test_equal_hashes_are_equal_pixels() -> None:
    some = pictures(5)
    some[3] = some[1].copy()
    some.append(some[2].repeat(2, axis=0))  # the same signature, other pixels
    found = looks.look(dataset_of(some)).records
    assert (found["signature"][2] == found["signature"][5]).all()
    hashes = [value.tobytes() for value in found["hash"]]
    assert hashes[1] == hashes[3] == pixel_hash(some[1])
    assert hashes[5] == pixel_hash(some[5])
    assert len(set(hashes)) == 5 and bytes(16) not in hashes


def test_only_pictures_of_one_signature_are_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    some = pictures(50)
    some[30] = some[20].copy()
    dataset, again = dataset_of(some), list[int]()

    def pixels(images: ArrayImages, row: int, min_side: int | None = None) -> Pixels:
        again.append(row)
        return images.array[row]

    monkeypatch.setattr(ArrayImages, "pixels", pixels)
    looks.look(dataset)
    assert sorted(again) == [20, 30]


def test_a_copy_that_goes_between_the_readings_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for label in "ab":
        (tmp_path / label).mkdir()
        for i, picture in enumerate(pictures(2)):
            Image.fromarray(picture).save(tmp_path / label / f"{i}.png")
    dataset = open_dataset(tmp_path)

    def first_alike_and_gone(found: np.ndarray) -> np.ndarray:
        (tmp_path / "a" / "0.png").unlink()
        return first_alike(found)

    monkeypatch.setattr(looks, "first_alike", first_alike_and_gone)
    found = looks.look(dataset)
    assert found.bad == {"a/0.png": "no such file"} and not found.records[0]["signature"].any()
    assert found.records["hash"][1] == found.records["hash"][3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for label in "ab":
        (tmp_path / label).mkdir()
        for i, picture in enumerate(pictures(40, ord(label))):
            Image.fromarray(picture if i % 3 else picture[:, :, 0]).save(tmp_path / label / f"{i}.png")
    (tmp_path / "a" / "3.png").write_bytes(b"")
    (tmp_path / "b" / "7.png").write_bytes((tmp_path / "b" / "8.png").read_bytes())
    return tmp_path


@pytest.mark.parametrize("chunk", [7, 128])
def test_processes_find_what_threads_find(folder: Path, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = open_dataset(folder)
    monkeypatch.setattr(looks, "CHUNK", chunk)
    assert not looks.in_processes(dataset.images)
    here = looks.look(dataset, 2)
    monkeypatch.setattr(looks, "MANY", 50)
    assert looks.in_processes(dataset.images)
    there = looks.look(dataset, 2)
    assert here.bad == there.bad == {"a/3.png": "empty file (0 bytes)"}
    assert (here.records == there.records).all() and here.records["height"].tolist().count(24) == 79


@pytest.mark.parametrize("side", [20, 31, 64, 65, 150])
@pytest.mark.parametrize("channels", [1, 3])
def test_looked_at_together_or_by_parts(side: int, channels: int) -> None:
    """Grey levels that are made once for both say what each makes for itself."""
    generator = np.random.default_rng(side)
    some = [generator.integers(0, 256, (side, side - 3, channels), dtype=np.uint8) for _ in range(5)]
    headers = [dataset_of(some).images.read(row)[0] for row in range(5)]
    found = looks.looks_of(headers, some)
    assert (found["signature"] == signatures(some)).all()
    for name in ("mean", "std", "low", "high", "blur"):
        assert (found[name] == measure(some)[name]).all()


def test_luma_is_rounded() -> None:
    every = np.random.default_rng(0).integers(0, 256, (1000, 3), dtype=np.uint8)
    exact = every.astype(float) @ (77, 150, 29) / 256
    assert (luma(every) == np.floor(exact + 0.5)).all()
    assert luma(np.full((1, 3), 255, np.uint8)) == 255
    assert luma(every[:, :1]).tolist() == every[:, 0].tolist()


def test_first_alike_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    some = np.random.default_rng(0).integers(0, 256, (6, SIGNATURE_BYTES), dtype=np.uint8)
    some[4], some[5] = some[1], some[1]
    assert first_alike(some).tolist() == [0, 1, 2, 3, 1, 1]
    assert first_alike(some[:0]).tolist() == []
    # Two bytes of 128 more: the sums modulo 2**64 agree, since their factors are odd. They are told apart all the same.
    some[2] = some[0]
    some[2, [7, 15]] ^= 128
    assert first_alike(some).tolist() == [0, 1, 2, 3, 1, 1]


def test_matrix_products_have_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set[int]()
    describe = candidates.describe

    def watched(*args: np.ndarray) -> np.ndarray:
        seen.update(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")
        return describe(*args)

    before = [library["num_threads"] for library in threadpool_info()]
    monkeypatch.setattr(candidates, "describe", watched)
    near_pairs(signatures(pictures(20)))
    assert seen == {1} and [library["num_threads"] for library in threadpool_info()] == before
