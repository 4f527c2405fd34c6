"""Shards on servers: a server on loopback that cuts, fails, changes or gives no parts; s3fs against the same server.

Amazon's own is not reached from here.
"""

import contextlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sightline.data import open_dataset
from sightline.data.dataset import Dataset
from sightline.data.preprocess import Preprocessing
from sightline.data.reading.scan import scan
from sightline.data.storage import remote, shard_cache
from sightline.data.storage.shard_cache import RemoteShards
from sightline.data.storage.shards import ShardImages
from sightline.errors import DataError, MissingExtraError

from ..shards import Server, make_shards, serve

pytest.importorskip("aiohttp", reason="NO aiohttp: the extra `stream` is missing")
SIDE = 64  # a picture of 13 kB: well above the block that the index reads


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(remote, "PAUSES_S", (0.01, 0.02, 0.03))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_shards(tmp_path / "shards", 4, 12, side=SIDE)


@pytest.fixture
def local(root: Path) -> Dataset:
    return open_dataset(root)


@pytest.fixture
def server(root: Path) -> Iterator[Server]:
    with serve(root) as state:
        yield state


def at(server: Server) -> str:
    return f"{server.url}/train-{{000..003}}.tar"


def assert_same(data: Dataset, local: Dataset) -> None:
    assert (data.paths, data.classes, data.labels.tolist()) == (local.paths, local.classes, local.labels.tolist())
    for row in range(len(local)):
        assert np.array_equal(data.images.pixels(row), local.images.pixels(row))


def test_opening_fetches_headers_and_labels_and_no_pictures(server: Server, local: Dataset, root: Path) -> None:
    data = open_dataset(at(server))
    total = sum(path.stat().st_size for path in root.glob("*.tar"))
    assert len(data) == 48 and server.num_bytes < 0.4 * total
    before = len(server.fetched())
    again = open_dataset(at(server))
    assert len(server.fetched()) == before, "the index is kept"
    assert_same(again, local)
    assert again.source == at(server)


def test_a_changed_shard_is_indexed_anew(server: Server, local: Dataset) -> None:
    open_dataset(at(server))
    before, server.etag = len(server.fetched()), "two"
    assert_same(open_dataset(at(server)), local)
    assert len(server.fetched()) > before


def test_a_pass_over_all_pictures_fetches_each_shard_once(server: Server, local: Dataset) -> None:
    data = open_dataset(at(server))
    server.requests.clear()
    found = scan(data, Preprocessing(32, 32), num_workers=3)
    assert not found.bad and sorted(p for _, p, _ in server.fetched()) == [f"/train-00{i}.tar" for i in range(4)]
    server.requests.clear()
    assert_same(data, local)
    assert_same(open_dataset(at(server)), local)
    assert not server.fetched(), "epochs and runs to come read the cache"


def test_single_pictures_are_fetched_by_range(server: Server, local: Dataset) -> None:
    data = open_dataset(at(server))
    server.requests.clear()
    assert np.array_equal(data.images.pixels(20), local.images.pixels(20))
    images = data.images
    assert isinstance(images, ShardImages)
    offset, size = images.offset[20], images.num_bytes[20]
    assert server.requests == [("GET", "/train-001.tar", f"bytes={offset}-{offset + size - 1}")]


def test_a_server_without_ranges(server: Server, local: Dataset) -> None:
    server.ranges = False
    data = open_dataset(at(server))
    assert_same(data, local)
    streamed = [path for _, path, wanted in server.fetched() if not wanted]
    assert sorted(streamed) == [f"/train-00{i}.tar" for i in range(4)]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_connection_that_breaks_is_taken_up_again(ranges: bool, server: Server, local: Dataset) -> None:
    server.ranges = ranges
    server.cut, server.cut_after = 3, 20_000
    data = open_dataset(at(server))
    assert server.cut == 0
    server.cut = 3
    assert_same(data, local)
    assert server.cut == (0 if ranges else 3), "without ranges, the shards came whole when they were opened"


def test_a_server_that_stays_down_is_an_error_with_shard_and_range(server: Server) -> None:
    data = open_dataset(at(server))
    server.failures, before = -1, len(server.requests)
    with pytest.raises(DataError, match=r"train-001.tar, bytes [\d,]+ to [\d,]+: 503.* 4 times in a row"):
        data.images.pixels(20)
    assert len(server.requests) == before + 4
    data.expect(np.arange(48))
    with pytest.raises(DataError, match=r"train-000.tar, bytes 0 to [\d,]+: 503"):
        data.images.pixels(0)
    with pytest.raises(DataError, match="503"):  # an outage is no bad picture, which could be left out
        scan(data, Preprocessing(32, 32))


def test_what_cannot_get_better_is_not_tried_again(server: Server, root: Path) -> None:
    with pytest.raises(DataError, match=r"train-004.tar: no such file"):
        open_dataset(f"{server.url}/train-{{000..004}}.tar")
    assert sum("004" in path for _, path, _ in server.requests) <= 2
    server.failures, server.status = -1, 403
    with pytest.raises(DataError, match=r"not allowed \(403\)"):
        open_dataset(at(server))


def test_a_shard_that_changes_while_it_is_used(server: Server) -> None:
    data = open_dataset(at(server))
    server.etag = "other"
    data.expect(np.arange(48))
    with pytest.raises(DataError, match=r"train-000.tar: it has changed since it was opened"):
        data.images.pixels(0)


def test_the_cache_is_bounded_and_the_pictures_are_right(server: Server, local: Dataset, root: Path) -> None:
    size = (root / "train-000.tar").stat().st_size
    data = open_dataset(at(server))
    images = data.images
    assert isinstance(images, ShardImages) and isinstance(images.source, RemoteShards)
    for bound in (5 * size, 2 * size, 0):
        folder = root.parent / f"bound-{bound}"
        folder.mkdir()
        source = RemoteShards(images.source.files, folder, bound)
        limited = ShardImages(source, images.shard, images.offset, images.num_bytes)
        limited.expect(np.arange(48))
        for row in [*range(48), *range(48)]:
            assert np.array_equal(limited.pixels(row), local.images.pixels(row))
            assert held(folder) <= bound


def held(folder: Path) -> int:
    """Bytes of the files in a folder; of one that is renamed meanwhile, none."""
    total = 0
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def test_a_shard_too_large_for_the_cache_of_a_server_without_ranges(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.ranges = False
    monkeypatch.setattr(shard_cache, "MAX_CACHE_BYTES", 1000)
    with pytest.raises(DataError, match=r"its server gives no parts of files, and the cache .* room for 1,000 bytes"):
        open_dataset(at(server))


def test_many_threads_and_any_order(server: Server, local: Dataset) -> None:
    data = open_dataset(at(server))
    order = data.order(0, 1, np.arange(48))
    data.expect(order)
    wrong: list[int] = []

    def work(rows: list[int]) -> None:
        wrong.extend(r for r in rows if not np.array_equal(data.images.pixels(r), local.images.pixels(r)))

    threads = [threading.Thread(target=work, args=(order[i::6].tolist(),)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(server.fetched("train-000.tar")) < 16, "fetched whole, not picture by picture"


def test_a_store_without_http(root: Path, local: Dataset) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    for path in root.iterdir():
        memory.pipe_file(f"/bucket/{path.name}", path.read_bytes())
    for url in ("memory://bucket/train-{000..003}.tar", "memory://bucket/train-*.tar"):
        data = open_dataset(url)
        assert_same(data, local)
        assert not scan(data, Preprocessing(32, 32)).bad
    with pytest.raises(DataError, match="no such file"):
        open_dataset("memory://bucket/tran-*.tar")


def test_s3_by_its_own_client(server: Server, local: Dataset, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The requests of s3fs (HEAD, GET by range), answered by the server on loopback as a bucket's."""
    s3fs = pytest.importorskip("s3fs", reason="NO s3fs: the extra `stream` is missing")
    s3fs.S3FileSystem.clear_instance_cache()  # of another test's server
    (root / "bucket").mkdir()
    for path in root.glob("*.*"):
        (root / "bucket" / path.name).write_bytes(path.read_bytes())
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    data = open_dataset("s3://bucket/train-{000..003}.tar")
    assert server.num_bytes < 0.4 * sum(path.stat().st_size for path in root.glob("*.tar"))
    assert_same(data, local)
    assert not scan(data, Preprocessing(32, 32)).bad
    assert {path for _, path, wanted in server.fetched() if not wanted} == set(), "every request is for a range"


def test_passwords_and_signatures_are_neither_shown_nor_kept(server: Server, tmp_path: Path) -> None:
    url = f"{server.url.replace('//', '//user:geheim@')}/train-{{000..003}}.tar?signature=geheim"
    data = open_dataset(url)
    assert "geheim" not in f"{data.source} {data.location} {data.paths} {data.notes}"
    assert data.paths[0] == "train-000.tar/00000.png"
    scan(data, Preprocessing(32, 32))
    server.failures = -1
    with pytest.raises(DataError) as error:
        open_dataset(url + "2")  # the indices kept were of another address
    assert "geheim" not in str(error.value)
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert kept and not any(b"geheim" in path.read_bytes() for path in kept)


def test_a_missing_extra_and_an_unknown_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(
        MissingExtraError, match=r'https:// needs the package aiohttp: pip install "sightline\[stream\]"'
    ):
        open_dataset("https://localhost/x-{0..1}.tar")
    with pytest.raises(DataError, match="Protocol not known: ftpx"):
        open_dataset("ftpx://localhost/x-{0..1}.tar")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingExtraError, match="needs the package fsspec"):
        open_dataset("memory://x/y-{0..1}.tar")


@pytest.mark.usefixtures("default_plan")
def test_a_run_from_a_server_is_the_run_from_a_local_copy(
    server: Server, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures streamed anew each epoch, not kept: the same weights, and the run is measured again by its address."""
    from sightline.data.reading import scan as scanning
    from sightline.evaluation.runs import evaluate_run
    from sightline.training.options import Options
    from sightline.training.train import train

    monkeypatch.setattr(scanning, "MEMORY_SHARE", 0.0)
    weights = []
    for place in (str(root / "train-{000..003}.tar"), at(server)):
        out = tmp_path / f"run-{len(weights)}"
        train(place, {"epochs": 2, "size": 32, "model": "simple_cnn"}, Options(out=out))
        weights.append((out / "model.safetensors").read_bytes())
        tested, _ = evaluate_run(out)
        assert len(tested.rows) == 9
    assert weights[0] == weights[1]
    server.requests.clear()
    evaluate_run(tmp_path / "run-1")
    assert not server.fetched()


def test_a_run_is_named_after_its_shards(server: Server) -> None:
    from sightline.training.prepare import open_table
    from sightline.training.progress import Silent

    assert open_table(at(server), None, None, Silent()).name == "train"
