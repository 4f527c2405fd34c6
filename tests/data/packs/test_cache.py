"""The cache: nothing is decoded twice, nothing outdated or damaged is ever used, nothing is left over."""

import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.data import decode, open_dataset
from sightline.data.batches import Batches
from sightline.data.packs import cache as cache_module
from sightline.data.packs import packing
from sightline.data.packs.cache import Cache, Key, bound, default_folder
from sightline.data.preprocess import Preprocessing
from sightline.data.reading.scan import Scan, scan, survey
from sightline.data.storage.store import FolderStore
from sightline.errors import ConfigError, DataError

FRAME = Preprocessing(16, 16, crop_fraction=0.875)
GB = 10**9


class Reads:
    """Which files were read, through any folder or archive."""

    def __init__(self) -> None:
        self.names = list[str]()

    def __call__(self) -> list[str]:
        """Those since the last call, in order of name."""
        names, self.names = self.names, []
        return sorted(names)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    from sightline.data.storage.zip_store import ZipStore

    seen = Reads()
    for cls in (FolderStore, ZipStore):
        real = cls.read

        def read(self: FolderStore, name: str, real=real) -> bytes:
            seen.names.append(name)
            return real(self, name)

        monkeypatch.setattr(cls, "read", read)
    return seen


@pytest.fixture(autouse=True)
def small_sets_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MIN_FILES", 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(4):
            pixels = generator.integers(0, 256, (40 + i, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "set" / name / f"{i}.png")
    return tmp_path / "set"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def cache(tmp_path: Path, said: list[str]) -> Cache:
    return Cache(tmp_path / "cache", GB, said.append)


def scanned(folder: Path, cache: Cache | None, frame: Preprocessing = FRAME, workers: int | None = 1) -> Scan:
    return scan(open_dataset(folder), frame, workers, cache=cache)


def files(cache: Cache) -> list[str]:
    return sorted(path.suffix for path in cache.folder.iterdir())


def assert_same(one: Scan, other: Scan) -> None:
    assert (one.records == other.records).all()
    assert (one.bad, one.num_colour_to_grey) == (other.bad, other.num_colour_to_grey)
    assert one.canvases is not None and other.canvases is not None
    assert len(one.canvases) == len(other.canvases)
    good = [row for row, is_bad in enumerate(packing.is_bad(one.records)) if not is_bad]
    assert all(np.array_equal(one.canvases[row], other.canvases[row]) for row in good)


def test_the_second_scan_reads_no_file_and_finds_the_same(folder: Path, cache: Cache, reads: Reads) -> None:
    (folder / "b" / "9.png").write_bytes(b"no picture")
    without = scanned(folder, None)
    reads()
    cold = scanned(folder, cache)
    assert len(reads()) == 9
    warm = scanned(folder, cache)
    assert_same(without, cold)
    assert_same(without, warm)
    assert warm.bad == {"b/9.png": without.bad["b/9.png"]}
    assert reads() == []
    assert files(cache) == [".pack"]


def test_a_grey_frame_counts_colour_pictures_again(folder: Path, cache: Cache) -> None:
    frame = Preprocessing(16, 16, channels=1)
    first = scanned(folder, cache, frame)
    assert first.num_colour_to_grey == 8
    assert_same(first, scanned(folder, cache, frame))


def test_only_files_that_changed_are_read_again(folder: Path, cache: Cache, reads: Reads) -> None:
    scanned(folder, cache)
    reads()
    Image.new("RGB", (60, 60), "red").save(folder / "a" / "2.png")
    Image.new("RGB", (60, 60), "blue").save(folder / "b" / "7.png")
    (folder / "b" / "0.png").unlink()
    again = scanned(folder, cache)
    assert reads() == ["a/2.png", "b/7.png"]
    assert_same(again, scanned(folder, None))
    reads()
    assert_same(again, scanned(folder, cache))
    assert len(reads()) == 0 or reads() == []
    assert files(cache) == [".pack"]


def test_what_is_left_out_decodes_nothing_again(folder: Path, cache: Cache, reads: Reads) -> None:
    """`--exclude` after a training without it, and the other way round."""
    whole, dataset = scanned(folder, cache), open_dataset(folder)
    part = dataset.without([1, 6], "two left out")
    reads()
    fewer = scan(part, FRAME, 1, cache=cache)
    assert reads() == [] and part.paths == [dataset.paths[row] for row in (0, 2, 3, 4, 5, 7)]
    assert_same(fewer, scan(part, FRAME, 1))
    reads()
    scan(part, FRAME, 1, cache=cache)
    assert reads() == []
    assert_same(scanned(folder, cache), whole)
    assert reads() == ["a/1.png", "b/2.png"]


def test_a_change_that_keeps_size_and_mtime_is_noticed(folder: Path, cache: Cache, reads: Reads) -> None:
    """As when a copy with `cp -p`, or an unpacked archive, takes a file's place."""
    path = folder / "a" / "0.bmp"
    Image.new("RGB", (50, 50), "red").save(path)
    os.utime(path, ns=(10**18, 10**18))
    scanned(folder, cache)
    reads()
    other = path.with_suffix(".tmp")
    Image.new("RGB", (50, 50), "blue").save(other, "BMP")
    os.utime(other, ns=(10**18, 10**18))
    assert other.stat().st_size == path.stat().st_size
    other.replace(path)
    again = scanned(folder, cache)
    assert reads() == ["a/0.bmp"]
    assert_same(again, scanned(folder, None))


def test_a_zip_is_read_once_until_it_changes(folder: Path, tmp_path: Path, cache: Cache, reads: Reads) -> None:
    path = tmp_path / "set.zip"
    shutil.make_archive(str(path.with_suffix("")), "zip", folder)
    first = scanned(path, cache)
    assert len(reads()) == 8
    assert_same(first, scanned(path, cache))
    assert reads() == []
    with zipfile.ZipFile(path, "a") as archive:
        archive.write(folder / "a" / "0.png", "a/9.png")
    assert len(scanned(path, cache).records) == 9
    assert len(reads()) == 9


@pytest.mark.parametrize(
    ("frame", "is_another"),
    [
        (Preprocessing(16, 16, crop_fraction=0.875, mean=(0.1,), std=(0.2,)), False),
        (Preprocessing(16, 24, crop_fraction=0.875), True),
        (Preprocessing(16, 16, crop_fraction=0.875, channels=1), True),
        (Preprocessing(16, 16, crop_fraction=0.875, fit="squash"), True),
        (Preprocessing(16, 16, crop_fraction=0.875, interpolation="bicubic"), True),
        (Preprocessing(16, 16), True),
    ],
)
def test_only_what_changes_a_canvas_makes_another_entry(
    folder: Path, cache: Cache, frame: Preprocessing, is_another: bool
) -> None:
    scanned(folder, cache)
    assert_same(scanned(folder, None, frame), scanned(folder, cache, frame))
    assert len(files(cache)) == 1 + is_another


def test_the_mean_counts_where_it_fills_the_frame(folder: Path, cache: Cache) -> None:
    for mean in ((0.1,), (0.9,)):
        frame = Preprocessing(16, 16, fit="pad", mean=mean)
        assert_same(scanned(folder, None, frame), scanned(folder, cache, frame))
    assert len(files(cache)) == 2


def test_another_decoder_decodes_again(
    folder: Path, cache: Cache, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanned(folder, cache)
    reads()
    monkeypatch.setattr(packing, "DECODER", decode.DECODER + 1)
    scanned(folder, cache)
    assert len(reads()) == 8


@pytest.mark.parametrize("damage", ["cut", "index", "empty", "foreign"])
def test_a_damaged_entry_is_made_again_and_said(
    folder: Path, cache: Cache, reads: Reads, said: list[str], damage: str
) -> None:
    scanned(folder, cache)
    (path,) = cache.folder.iterdir()
    data = path.read_bytes()
    changed = {"cut": data[:-5], "index": data[:-80] + b"?" + data[-79:], "empty": b"", "foreign": b"x" * len(data)}
    path.write_bytes(changed[damage])
    reads()
    said.clear()
    assert_same(scanned(folder, cache), scanned(folder, None))
    assert "is damaged" in said[0] and "made again" in said[0]
    said.clear()
    reads()
    scanned(folder, cache)
    assert reads() == [] and "decoded before" in said[0]


def test_a_damaged_picture_is_decoded_and_the_entry_made_again(
    folder: Path, cache: Cache, reads: Reads, said: list[str]
) -> None:
    scanned(folder, cache)
    (path,) = cache.folder.iterdir()
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    reads()
    said.clear()
    assert_same(scanned(folder, cache), scanned(folder, None))
    assert [line for line in said if "the checksum of picture 0" in line]
    scanned(folder, cache)
    assert files(cache) == [".pack"] and len(reads()) >= 8


def test_a_passing_reason_is_tried_again(
    folder: Path, cache: Cache, reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failing = FolderStore.read, [True]

    def read(self: FolderStore, name: str) -> bytes:
        if failing[0] and name == "a/1.png":
            raise OSError(5, "Input/output error")
        return real(self, name)

    monkeypatch.setattr(FolderStore, "read", read)
    assert scanned(folder, cache).bad == {"a/1.png": "Input/output error"}
    reads()
    assert scanned(folder, cache).bad == {"a/1.png": "Input/output error"}
    failing[0] = False
    mended = scanned(folder, cache)
    assert mended.bad == {}
    assert reads() == ["a/1.png"]
    assert_same(mended, scanned(folder, None))


def test_a_survey_is_remembered_until_a_file_of_it_changes(folder: Path, cache: Cache, reads: Reads) -> None:
    dataset = open_dataset(folder)
    first = survey(dataset, np.arange(8), cache)
    assert reads()
    assert survey(dataset, np.arange(8), cache) == first
    assert reads() == []
    Image.new("L", (90, 90), 9).save(folder / "a" / "0.png")
    assert survey(dataset, np.arange(8), cache) != first
    for path in cache.folder.glob("*.json"):
        path.write_text("[1, 2")
    reads()
    assert survey(dataset, np.arange(8), cache) == survey(dataset, np.arange(8))
    assert reads()


def batch_images(folder: Path, cache: Cache | None, workers: int) -> list[np.ndarray]:
    dataset = open_dataset(folder)
    canvases = scan(dataset, FRAME, workers, cache=cache).canvases
    made = Batches(dataset, np.arange(len(dataset)), canvases, FRAME, ("resized_crop", "flip"), 3, 7, workers)
    return [batch.images.numpy() for epoch in (1, 2) for batch in made.epoch(epoch)]


@pytest.mark.parametrize("workers", [0, 1, 2, 8])
def test_batches_are_the_same_bits_cold_warm_partly_and_without(
    folder: Path, cache: Cache, said: list[str], workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = batch_images(folder, None, 1)
    monkeypatch.setattr(packing, "MIN_FILES", 1)
    partly = Cache(cache.folder.with_name("small"), 4 * (18 * 23 * 3) + 8 * cache_module.ROW_BYTES, said.append)
    for _ in range(2):
        for kept in (None, cache, partly):
            again = batch_images(folder, kept, workers)
            assert all(np.array_equal(a, b) for a, b in zip(reference, again, strict=True))
    assert any("found no room there" in line for line in said)


def test_a_picture_that_vanishes_is_an_error_of_the_data(folder: Path) -> None:
    dataset = open_dataset(folder)
    made = Batches(dataset, np.arange(8), None, FRAME, (), 4, 0, 2)
    (folder / "a" / "3.png").unlink()
    with pytest.raises(DataError, match=r"a/3.png: no such file. It could be read before the training"):
        list(made.epoch(1))
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("sightline")] == []


def test_what_was_not_used_for_longest_goes_first(folder: Path, tmp_path: Path, said: list[str]) -> None:
    cache = Cache(tmp_path / "cache", 25_000, said.append)
    frames = [Preprocessing(16, 16 + i) for i in range(3)]
    scanned(folder, cache, frames[0])
    (first,) = cache.entries()
    scanned(folder, cache, frames[1])
    (second,) = (entry for entry in cache.entries() if entry.name != first.name)
    for age, entry in enumerate((first, second)):
        os.utime(entry.path, (age, age))
    scanned(folder, cache, frames[0])  # used again: now the other one is the older
    scanned(folder, cache, frames[2])
    names = [entry.name for entry in cache.entries()]
    assert first.name in names and second.name not in names and len(names) == 2
    assert sum(entry.num_bytes for entry in cache.entries()) <= 25_000


def test_a_full_disk_leaves_nothing_and_stops_nothing(folder: Path, cache: Cache, said: list[str]) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, before[1]))
    try:
        found = scanned(folder, cache)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert files(cache) == []
    assert [line for line in said if "could not be written (File too large); going on without it" in line]
    assert_same(found, scanned(folder, None))


def test_a_folder_that_cannot_be_made(folder: Path, tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    found = scanned(folder, Cache(tmp_path / "file" / "cache", GB, said.append))
    assert len(said) == 1 and "going on without it" in said[0]
    assert_same(found, scanned(folder, None))


def test_a_folder_that_can_only_be_read(folder: Path, cache: Cache, said: list[str], reads: Reads) -> None:
    first = scanned(folder, cache)
    reads()
    cache.folder.chmod(0o555)
    try:
        if os.access(cache.folder, os.W_OK):
            pytest.skip("NOT TESTED: root may write everywhere; run the tests as another user")
        assert_same(first, scanned(folder, cache))
        assert reads() == []
        said.clear()
        scanned(folder, cache, Preprocessing(20, 20))
        assert "going on without it" in said[0]
    finally:
        cache.folder.chmod(0o755)


def test_an_interrupted_scan_leaves_nothing(folder: Path, cache: Cache) -> None:
    def interrupted(results: Iterator[object], total: int) -> Iterator[object]:
        yield next(results)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan(open_dataset(folder), FRAME, 1, interrupted, cache)
    assert files(cache) == []
    scanned(folder, cache)
    assert files(cache) == [".pack"]


def test_leftovers_of_the_dead_are_swept_and_those_of_the_living_are_not(folder: Path, cache: Cache) -> None:
    cache.folder.mkdir()
    (cache.folder / "dead-123.part").write_bytes(b"x" * 1000)
    with cache.claim(Key("living", "1"), 3, lambda pack: True) as (_, growing):
        assert growing is not None
        scanned(folder, cache)
        assert files(cache) == [".pack", ".part"]
        assert (cache.folder / "living-1.part").exists()
    assert files(cache) == [".pack"]


def test_a_second_process_waits_for_the_first(folder: Path, cache: Cache, said: list[str], reads: Reads) -> None:
    """The first is slow; the second reads nothing, and finds what the first has made."""
    results = list[Scan]()
    slow = lambda rows, total: (time.sleep(0.05) or row for row in rows)  # noqa: E731
    first = threading.Thread(target=lambda: results.append(scan(open_dataset(folder), FRAME, 1, slow, cache)))
    first.start()
    deadline = time.monotonic() + 5
    while not list(cache.folder.glob("*.part")) and time.monotonic() < deadline:
        time.sleep(0.001)
    second = scanned(folder, cache)
    first.join()
    assert len(reads()) == 8
    assert_same(results[0], second)
    assert [line for line in said if "waiting for it" in line]


def test_a_process_that_gets_no_further_is_not_waited_for(
    folder: Path, cache: Cache, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "STALLED_S", 0.3)
    key = packing.pack_key(open_dataset(folder), FRAME)
    with cache.claim(key, 3, lambda pack: True) as (_, growing):
        assert growing is not None
        found = scanned(folder, cache)
    assert any("gets no further" in line for line in said)
    assert_same(found, scanned(folder, None))


KILLED = """
import sys, time
from pathlib import Path
from sightline.data import open_dataset
from sightline.data.packs import packing
from sightline.data.packs.cache import Cache
from sightline.data.preprocess import Preprocessing
from sightline.data.reading.scan import scan
packing.MIN_FILES = 1
def slow(rows, total):
    for row in rows:
        print(".", flush=True)
        yield row
        time.sleep(0.1)
cache = Cache(Path(sys.argv[2]), 10**9, print)
scan(open_dataset(sys.argv[1]), Preprocessing(16, 16, crop_fraction=0.875), 1, slow, cache)
"""


def test_a_killed_process_leaves_no_entry_and_no_lock(folder: Path, cache: Cache, said: list[str]) -> None:
    command = [sys.executable, "-c", KILLED, str(folder), str(cache.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(4):
            process.stdout.readline()
        process.kill()
    assert files(cache) == [".part"]
    assert_same(scanned(folder, cache), scanned(folder, None))
    assert files(cache) == [".pack"] and not any("waiting" in line for line in said)


def test_where_it_lies_and_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "sightline"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert default_folder().is_absolute() and default_folder().name == "sightline"
    free = shutil.disk_usage(tmp_path).free
    assert bound(tmp_path / "not" / "there") == pytest.approx(free / 4, rel=0.05)
    monkeypatch.setenv("SIGHTLINE_CACHE_BYTES", "12345")
    assert bound(tmp_path) == 12345
    monkeypatch.setenv("SIGHTLINE_CACHE_BYTES", "5 GB")
    with pytest.raises(ConfigError, match=r"SIGHTLINE_CACHE_BYTES = '5 GB': must be a whole number of bytes"):
        bound(tmp_path)


def test_nothing_is_kept_where_the_bound_is_zero(folder: Path, tmp_path: Path, said: list[str]) -> None:
    scanned(folder, Cache(tmp_path / "cache", 0, said.append))
    assert said == [] and not (tmp_path / "cache").exists()


def test_small_sets_and_arrays_are_not_worth_it(folder: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MIN_FILES", 9)
    scanned(folder, cache)
    assert not cache.folder.exists()


def test_a_note_is_plain_json(folder: Path, cache: Cache) -> None:
    survey(open_dataset(folder), np.arange(8), cache)
    (path,) = cache.folder.iterdir()
    assert json.loads(path.read_text())["height"] == 41
