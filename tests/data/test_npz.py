"""NumPy archives: MedMNIST's and Keras' layouts, types of pixels, and archives that would do harm."""

import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sightline.data import open_dataset
from sightline.data.convert import convert
from sightline.data.decode import decode
from sightline.data.formats import npz
from sightline.errors import DataError

RANDOM = np.random.default_rng(0)


def pictures(num: int, *shape: int) -> NDArray[np.uint8]:
    return RANDOM.integers(0, 256, (num, *shape), dtype=np.uint8)


def save(path: Path, **arrays: NDArray[np.generic]) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("train", "test"),
    [
        (("x_train", "y_train"), ("x_test", "y_test")),
        (("train_images", "train_labels"), ("test_images", "test_labels")),
        (("X_train", "y_train"), ("X_test", "y_test")),
        (("train_x", "train_y"), ("test_x", "test_y")),
    ],
)
def test_names_of_arrays(train: tuple[str, str], test: tuple[str, str], tmp_path: Path) -> None:
    first, second = pictures(4, 5, 6), pictures(2, 5, 6)
    labels = [np.array([10, 2, 2, 10]), np.array([[2], [10]])]
    path = save(
        tmp_path / "a.npz",
        **dict(zip(test, (second, labels[1]), strict=True)),
        **dict(zip(train, (first, labels[0]), strict=True)),
    )
    data = open_dataset(path)
    assert data.format == "npz" and data.classes == ("2", "10") and data.labels.tolist() == [1, 0, 0, 1, 0, 1]
    assert data.splits == ["train"] * 4 + ["test"] * 2 and data.paths[4] == f"{test[0]}[0]"
    for row, image in enumerate([*first, *second]):
        np.testing.assert_array_equal(data.images.pixels(row), image[..., None])


def test_no_splits_text_labels_and_what_is_left_aside(tmp_path: Path) -> None:
    save(tmp_path / "a.npz", images=pictures(3, 4, 4, 3), labels=np.array(["dog", "cat", "dog"]), weight=np.ones(3))
    data = open_dataset(tmp_path)
    assert data.splits is None and data.classes == ("cat", "dog") and data.labels.tolist() == [1, 0, 1]
    assert data.notes == ("left aside 1 array (weight)",)


@pytest.mark.parametrize(
    ("values", "expected", "note"),
    [
        (np.array([0, 255, 7, 8], np.int64), [0, 255, 7, 8], None),
        (np.array([0, 255, 7, 8], np.float32), [0, 255, 7, 8], None),
        (np.array([0, 1, 0, 1], bool), [0, 255, 0, 255], "values from 0 to 1 became 0 to 255"),
        (np.arange(4, dtype=np.float32) * np.float32(1 / 3), [0, 85, 170, 255], "values from 0 to 1 became 0 to 255"),
        (np.array([0, 254, 127, 128], np.float16) / np.float16(255), [0, 254, 127, 128],
         "values from 0 to 1 became 0 to 255"),
    ],
)  # fmt: skip
def test_types_of_pixels(values: NDArray[np.generic], expected: list[int], note: str | None, tmp_path: Path) -> None:
    images = np.stack([values.reshape(2, 2)] * 2)
    data = open_dataset(save(tmp_path / "a.npz", x=images, y=np.array([0, 1])))
    assert data.images.pixels(1).dtype == np.uint8 and data.images.pixels(1).ravel().tolist() == expected
    assert data.notes == (() if note is None else (note,))


@pytest.mark.parametrize(
    ("values", "expected", "note"),
    [
        (
            np.array([0, 1, 0.5, 0.1], np.float64),
            [0, 255, 127.5, 25.5],
            "values from 0 to 1 became 0 to 255, not rounded",
        ),
        (
            np.array([0, 65535, 257, 1], np.uint16),
            [0, 255, 1, 1 / 257],
            "16-bit values (up to 65535) became v / 257, not",
        ),
        (np.array([0, 4095, 257, 1], ">u2"), [0, 4095 / 257, 1, 1 / 257], "16-bit values (up to 4095) became v / 257"),
    ],
)
def test_deep_arrays_keep_their_depth_as_files_do(
    values: NDArray[np.generic], expected: list[float], note: str, tmp_path: Path
) -> None:
    images = np.stack([values.reshape(2, 2)] * 2)
    data = open_dataset(save(tmp_path / "a.npz", x=images, y=np.array([0, 1])))
    found = data.images.pixels(1)
    assert found.dtype == np.float32 and found.ravel().tolist() == np.array(expected, np.float32).tolist()
    assert data.notes[0].startswith(note)
    if values.dtype.kind == "u":  # two routes: the same values in a file
        Image.fromarray(values.reshape(2, 2).astype(np.uint16)).save(tmp_path / "a.png")
        assert np.array_equal(decode((tmp_path / "a.png").read_bytes()), found)
        done = convert(tmp_path / "a.npz", tmp_path / "out", "table").out
        assert np.array_equal(open_dataset(done).images.pixels(1), found)


def test_one_rule_for_all_splits(tmp_path: Path) -> None:
    """Whether floats are 0 to 1 is not decided for each split alone: a dark test split would turn bright."""
    train, test = np.array([[[0.0, 255.0]]] * 2), np.array([[[0.0, 1.0]]] * 2)
    labels = np.array([0, 1])
    data = open_dataset(save(tmp_path / "a.npz", x_train=train, y_train=labels, x_test=test, y_test=labels))
    assert [data.images.pixels(row).ravel().tolist() for row in (0, 2)] == [[0, 255], [0, 1]]


def test_colour_and_channels_first(tmp_path: Path) -> None:
    rows = pictures(2, 4, 5, 3)
    for x in (rows, rows.transpose(0, 3, 1, 2), np.asfortranarray(rows)):
        data = open_dataset(save(tmp_path / "a.npz", x=x, y=np.array([0, 1])))
        np.testing.assert_array_equal(data.images.pixels(1), rows[1])


GOOD = {"x_train": pictures(3, 4, 4), "y_train": np.array([0, 1, 0])}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x_train": pictures(2, 28, 28, 28)}, r"x_train: not pictures: shape \(2, 28, 28, 28\).* look like volumes"),
        ({"x_train": pictures(3, 16)}, r"x_train: not pictures: shape \(3, 16\)"),
        ({"x_train": pictures(2, 4, 4)}, r"2 pictures in x_train, but labels of shape \(3,\) in y_train"),
        ({"x_train": pictures(3, 0, 4)}, r"x_train: nothing in it: shape \(3, 0, 4, 1\)"),
        ({"x_train": np.full((3, 4, 4), 0.5) * 3}, "pixels of type float64 from 1.5 to 1.5; expected uint8"),
        ({"x_train": np.full((3, 4, 4), np.nan)}, "pixels of type float64 from nan to nan"),
        ({"x_train": np.full((3, 4, 4), -1)}, "from -1 to -1"),
        ({"x_train": np.full((3, 4, 4), 9, np.uint16)}, "No value needs 16 bits: save them as uint8"),
        ({"x_train": np.full((3, 4, 4), 1j)}, "pictures of type complex128"),
        ({"y_train": np.zeros((3, 14), int)}, r"y_train has shape \(3, 14\): several labels a picture"),
        ({"y_train": np.array([0.5, 1, 0])}, "y_train is of type float64; expected whole numbers or text"),
        ({"y_train": np.array([0, 1, 2]), "class_names": np.array(["a", "b"])}, "from 0 to 2, but 2 classes"),
        ({"y_train": np.array([0, 0, 0])}, "there is one class only, '0'"),
        ({"x_test": pictures(1, 4, 4), "y_test": np.array([2])}, "'2' occurs in test but never in train"),
        ({"x_test": pictures(1, 5, 4), "y_test": np.array([1])}, "pictures of different sizes"),
        ({"x_test": np.zeros((1, 4, 4)), "y_test": np.array([1])}, "pictures of different types"),
        ({"y_train": np.array([{}, {}, {}])}, "y_train holds Python objects, which are code when unpacked"),
        ({"x_train": np.array(3)}, "x_train is a single number"),
    ],
)  # fmt: skip
def test_errors_say_where(arrays: dict[str, NDArray[np.generic]], message: str, tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", **{**GOOD, **arrays})
    with pytest.raises(DataError, match=rf"a\.npz.*{message}"):
        open_dataset(path)


def test_no_pictures_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a folder, an archive"):
        open_dataset(save(tmp_path / "a.npz", weights=np.ones(3)))


class _Harm:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch harm",)


def test_a_pickle_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": (3,)})
    with zipfile.ZipFile("a.npz", "w") as archive:
        archive.writestr("x_train.npy", header.getvalue() + pickle.dumps(_Harm()))
        archive.writestr("y_train.npy", header.getvalue() + pickle.dumps(_Harm()))
    with pytest.raises(DataError, match="x_train holds Python objects"):
        open_dataset(tmp_path / "a.npz")
    assert not (tmp_path / "harm").exists()


def write_member(path: Path, shape: tuple[int, ...], data: bytes) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    labels = io.BytesIO()
    np.save(labels, np.array([0, 1, 0]))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x_train.npy", header.getvalue() + data)
        archive.writestr("y_train.npy", labels.getvalue())


def test_a_header_that_announces_more_than_there_is(tmp_path: Path) -> None:
    write_member(tmp_path / "a.npz", (3, 1 << 20, 1 << 20), b"\0" * 100)
    with pytest.raises(DataError, match=r"x_train.npy holds 100 bytes, but its header announces 3,298,534,883,328"):
        open_dataset(tmp_path / "a.npz")


def test_more_than_the_memory_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_member(tmp_path / "a.npz", (3, 4096, 4096), b"\0" * (3 << 24))
    assert (tmp_path / "a.npz").stat().st_size < 100_000, "a bomb: 48 MiB from next to nothing"
    monkeypatch.setattr(npz, "free_memory", lambda: 100 << 20)
    with pytest.raises(DataError, match=r"0.1 GiB when unpacked, but 0.1 GiB of memory are free"):
        open_dataset(tmp_path / "a.npz")


@pytest.mark.parametrize("cut", [-1, 0.5, 100, 3])
def test_truncated(cut: float, tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", **GOOD)
    data = path.read_bytes()
    path.write_bytes(data[: int(cut * len(data)) if isinstance(cut, float) else cut])
    with pytest.raises(DataError, match=r"a.npz: not a readable NumPy archive \(.*; fetch it again"):
        open_dataset(path)


def test_damaged_inside(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", **GOOD)
    data = bytearray(path.read_bytes())
    at = bytes(data).index(GOOD["x_train"].tobytes())
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"a.npz: not a readable NumPy archive \(Bad CRC-32"):
        open_dataset(path)


def test_pneumoniamnist(shared: Path) -> None:
    data = open_dataset(shared / "data/pneumoniamnist.npz")
    assert data.classes == ("0", "1") and data.splits is not None
    assert [data.splits.count(split) for split in ("train", "val", "test")] == [2428, 270, 468]
    with np.load(shared / "data/pneumoniamnist.npz") as archive:
        np.testing.assert_array_equal(data.images.pixels(2428), archive["val_images"][0][..., None])
        assert data.labels[2428:2698].tolist() == archive["val_labels"].ravel().tolist()


def npz_with_header(path: Path, header: bytes, num_bytes: int) -> Path:
    """train_images of a header of our own and `num_bytes` zeros; train_labels of two classes."""
    path = save(path, train_labels=np.array([0, 1]))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        start = b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little")
        archive.writestr("train_images.npy", start + header + bytes(num_bytes))
    return path


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 3)",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': " + b"(" * 2000,
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (-2, -3, 3), }",
        b"{'descr': '|u1', 'fortran_order': [[[[, 'shape': (2, 3, 3), }",
        b"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 10000000000000), }",
        b"\0",
    ],
)
def test_headers_that_are_none(header: bytes, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train_images\.npy"):
        open_dataset(npz_with_header(tmp_path / "a.npz", header, 18))


def test_text_that_is_none(tmp_path: Path) -> None:
    """NumPy keeps four bytes a character, of any value."""
    for code in (0xD800, 0x7FFFFFFF):
        labels = np.array([code, 98], "<u4").view("<U1")
        with pytest.raises(DataError, match="train_labels: damaged text"):
            open_dataset(save(tmp_path / "a.npz", train_images=pictures(2, 4, 4), train_labels=labels))


def test_depths_that_differ_are_not_scaled_by_one_rule(tmp_path: Path) -> None:
    deep = RANDOM.integers(0, 60_000, (6, 8, 8), dtype=np.uint16)
    labels = np.arange(6) % 2
    path = save(tmp_path / "a.npz", train_images=deep, train_labels=labels, test_images=pictures(6, 8, 8),
                test_labels=labels)  # fmt: skip
    with pytest.raises(DataError, match="different types"):
        open_dataset(path)


def test_pictures_beside_an_archive_are_said_and_names_may_be_bytes(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "cat/1.png")
    save(tmp_path / "a.npz", images=pictures(4, 8, 8), labels=np.arange(4) % 2, class_names=np.array([b"cat", b"dog"]))
    data = open_dataset(tmp_path)
    assert data.classes == ("cat", "dog") and data.notes == ("left aside 1 picture (cat/1.png): not in the archive",)
