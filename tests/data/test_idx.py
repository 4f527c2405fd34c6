import gzip
import struct
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from sightline.data import open_dataset
from sightline.errors import DataError


def idx(array: np.ndarray, code: int = 8) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape) + array.tobytes()


def write(folder: Path, prefix: str, images: np.ndarray, labels: list[int], zipped: bool = False) -> None:
    for kind, array in (("images", images), ("labels", np.array(labels, dtype=np.uint8))):
        data = idx(array)
        name = f"{prefix}{kind}-idx{array.ndim}-ubyte"
        (folder / (name + ".gz" * zipped)).write_bytes(gzip.compress(data) if zipped else data)


def pictures(num: int, *shape: int) -> np.ndarray:
    return np.arange(num * int(np.prod(shape)), dtype=np.uint8).reshape(num, *shape)


def test_two_files_are_one_data_set_with_splits(tmp_path: Path) -> None:
    train, test = pictures(3, 4, 5), pictures(2, 4, 5) + 100
    write(tmp_path, "emnist-letters-train-", train, [10, 2, 10], zipped=True)
    write(tmp_path, "emnist-letters-test-", test, [2, 2])
    data = open_dataset(tmp_path)
    assert data.classes == ("2", "10") and data.labels.tolist() == [1, 0, 1, 0, 0]
    assert data.splits == ["train"] * 3 + ["test"] * 2
    assert data.paths[2:4] == [
        "emnist-letters-train-images-idx3-ubyte.gz[2]",
        "emnist-letters-test-images-idx3-ubyte[0]",
    ]
    for row, image in enumerate([*train, *test]):
        np.testing.assert_array_equal(data.images.pixels(row), image[..., None])
    assert data.images.pixels(0).flags.writeable


@pytest.mark.parametrize("zipped", [False, True])
def test_a_file_zipped_and_not_counts_once(zipped: bool, tmp_path: Path) -> None:
    for _ in range(2):
        write(tmp_path, "", pictures(4, 2, 2), [0, 1, 2, 3], zipped)
        zipped = not zipped
    data = open_dataset(tmp_path)
    assert len(data) == 4 and data.splits is None


def test_colour(tmp_path: Path) -> None:
    rows = pictures(2, 4, 5, 3)
    write(tmp_path, "train-", rows, [0, 1])
    np.testing.assert_array_equal(open_dataset(tmp_path).images.pixels(1), rows[1])
    write(tmp_path, "train-", rows.transpose(0, 3, 1, 2), [0, 1])
    np.testing.assert_array_equal(open_dataset(tmp_path).images.pixels(1), rows[1])


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (IMAGES, b"hello", "not an IDX file: it starts with 68 65 6c 6c"),
        (IMAGES, b"", "not an IDX file"),
        (IMAGES, idx(pictures(3, 2, 2))[:-1], r"27 bytes, but its header announces 28 \(shape \(3, 2, 2\)\)"),
        (IMAGES, idx(pictures(3, 2, 2)) + b"x", "29 bytes, but its header announces 28"),
        (IMAGES, idx(pictures(3, 2, 2), code=0x0D), "values of IDX type 0x0d; only unsigned bytes"),
        (IMAGES, idx(pictures(2, 2, 2)), f"2 pictures in {IMAGES}, but labels of shape \\(3,\\) in {LABELS}"),
        (IMAGES, idx(pictures(3, 2)), r"not pictures: shape \(3, 2\)"),
        (LABELS, None, f"{IMAGES} has no file of labels beside it"),
        ("t10k-images-idx3-ubyte", idx(pictures(3, 9, 9)), "t10k-images-idx3-ubyte has no file of labels"),
    ],
)
def test_errors_name_the_file(name: str, data: bytes | None, message: str, tmp_path: Path) -> None:
    write(tmp_path, "train-", pictures(3, 2, 2), [0, 1, 2])
    if data is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=message):
        open_dataset(tmp_path)


def test_pictures_of_two_sizes(tmp_path: Path) -> None:
    write(tmp_path, "train-", pictures(3, 2, 2), [0, 1, 2])
    write(tmp_path, "t10k-", pictures(1, 3, 2), [0])
    with pytest.raises(DataError, match="different sizes"):
        open_dataset(tmp_path)


def test_several_data_sets_in_one_folder(tmp_path: Path) -> None:
    for prefix in ("emnist-letters-train-", "emnist-digits-train-"):
        write(tmp_path, prefix, pictures(3, 2, 2), [0, 1, 2])
    with pytest.raises(DataError, match="several data sets lie in this folder: emnist-digits"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("kept", [2, 15, 0.5, -1])
def test_truncated_gzip(kept: float, tmp_path: Path, shared: Path) -> None:
    for path in (shared / "data/mnist").glob("t10k*"):
        data = path.read_bytes()
        cut = int(kept * len(data)) if isinstance(kept, float) else kept
        (tmp_path / path.name).write_bytes(data[:cut] if "images" in path.name else data)
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte.gz: damaged or truncated gzip .* fetch it again"):
        open_dataset(tmp_path)


def test_mnist(shared: Path) -> None:
    start = time.perf_counter()
    data = open_dataset(shared / "data/mnist")
    elapsed_s = time.perf_counter() - start
    assert data.classes == tuple("0123456789")
    # The counts that the data set's page and many papers give.
    assert data.counts().tolist() == [6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958]
    assert data.splits is not None and data.splits.count("train") == 60_000
    assert data.labels[:5].tolist() == [5, 0, 4, 1, 9] and data.labels[60_000:60_003].tolist() == [7, 2, 1]
    assert data.images.pixels(0).shape == (28, 28, 1) and int(data.images.pixels(0).sum()) == 27525
    assert elapsed_s < 3, f"{elapsed_s:.2f} s; 0.3 s is usual on an idle machine"


def test_a_gzip_is_unpacked_no_further_than_its_header_announces(tmp_path: Path) -> None:
    """200 MiB of zeros behind two pictures."""
    write(tmp_path, "train", pictures(2, 3, 3), [0, 1], zipped=True)
    path = next(tmp_path.glob("*images*"))
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + bytes(200 << 20)))
    tracemalloc.start()
    with pytest.raises(DataError, match="35 bytes, but its header announces 34"):
        open_dataset(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


@pytest.mark.parametrize("shape", [(2, 0, 3), (2,) * 5, ()])
def test_pictures_of_no_size_or_of_many_dimensions(shape: tuple[int, ...], tmp_path: Path) -> None:
    write(tmp_path, "train", pictures(2, 3, 3), [0, 1])
    next(tmp_path.glob("*images*")).write_bytes(idx(np.zeros(shape, np.uint8)))
    with pytest.raises(DataError, match=r"nothing in it: shape|[50] dimensions"):
        open_dataset(tmp_path)


def test_a_file_of_no_split_beside_others_is_an_error(tmp_path: Path) -> None:
    for prefix in ("train-", "t10k-", "extra-"):
        write(tmp_path, prefix, pictures(3, 4, 5), [0, 1, 0])
    with pytest.raises(DataError, match=r"extra-images-idx3-ubyte.* say no split"):
        open_dataset(tmp_path)
