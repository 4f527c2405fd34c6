"""A pack gives back what it was given, from any thread, and notices whatever was done to it."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from sightline.data.packs.pack import FOOTER, MAGIC, Pack, PackError, PackWriter, facts_of

COLUMN = np.array([(b"x" * 16, 7, (1, 2)), (b"y" * 15 + b"\0", 8, (3, 4)), (b"", 9, (5, 6))], "V16,<i4,(2,)u1")
SIZES = [(3, 5), None, (1, 1)]


def canvases() -> list[np.ndarray | None]:
    generator = np.random.default_rng(0)
    return [None if size is None else generator.integers(0, 256, (*size, 3), dtype=np.uint8) for size in SIZES]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.pack"
    with path.open("wb") as file:
        writer = PackWriter(file, 3)
        for canvas in canvases():
            writer.add(canvas)
        writer.finish({"who": "é", "bad": {"1": "truncated"}}, {"record": COLUMN, "none": np.zeros(0, "V16")})
    return path


def read_all(path: Path) -> list[np.ndarray | None]:
    pack = Pack(path)
    return [pack.canvas(row) for row in range(len(pack))]


def test_it_gives_back_what_it_was_given(path: Path) -> None:
    pack = Pack(path)
    assert len(pack) == 3 and pack.num_bytes == 3 * (15 + 1) and pack.has_canvas.tolist() == [True, False, True]
    for row, canvas in enumerate(canvases()):
        again = pack.canvas(row)
        assert (again is None) == (canvas is None)
        if canvas is not None:
            assert np.array_equal(again, canvas)
    assert pack.columns["record"].dtype == COLUMN.dtype
    assert (pack.columns["record"] == COLUMN).all() and len(pack.columns["none"]) == 0
    assert pack.facts == facts_of(path) == {"who": "é", "bad": {"1": "truncated"}}


def test_threads_read_the_right_canvas(path: Path) -> None:
    pack, expected = Pack(path), canvases()
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda i: np.array_equal(pack.canvas(2 * (i % 2)), expected[2 * (i % 2)]), range(400)))


def test_every_cut_and_every_changed_byte_is_noticed(path: Path) -> None:
    """Nowhere in the file is there a byte whose loss or change would go unseen."""
    data, expected = path.read_bytes(), canvases()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(PackError):
            Pack(path)
    for position in range(len(data)):
        path.write_bytes(data[:position] + bytes([data[position] ^ 4]) + data[position + 1 :])
        with pytest.raises(PackError):
            read_all(path)
    path.write_bytes(data)
    assert all(a is b or np.array_equal(a, b) for a, b in zip(read_all(path), expected, strict=True))


def test_a_pack_that_is_cut_short_while_it_is_open(path: Path) -> None:
    pack = Pack(path)
    with path.open("r+b") as file:
        file.truncate(20)
    with pytest.raises(PackError, match="cut short"):
        pack.canvas(0)


def test_what_is_no_pack(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="no such file"):
        Pack(tmp_path / "none")
    (tmp_path / "text").write_text("SLPACK00" * 100)
    with pytest.raises(PackError, match="not a pack"):
        Pack(tmp_path / "text")


@pytest.mark.parametrize(
    "change",
    [
        {"columns": []},
        {"columns": [["offset", "<i8", -1]]},
        {"columns": [["offset", "<i8", 10**30]]},
        {"channels": 10**30},
        {"channels": "3"},
    ],
)
def test_an_index_that_fits_its_checksum_and_not_its_file(change: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "a.pack"
    described = {"facts": {}, "channels": 3, "columns": []} | change
    header = json.dumps(described).encode()
    digest = hashlib.blake2b(header, digest_size=16).digest()
    path.write_bytes(MAGIC + header + FOOTER.pack(len(MAGIC), len(header), digest, MAGIC))
    with pytest.raises(PackError, match="its index is damaged"):
        Pack(path)
