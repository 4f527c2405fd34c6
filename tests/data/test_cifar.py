import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from sightline.data import open_dataset
from sightline.errors import DataError

NAMES = ["zebra", "ant", "class_10", "class_2"]  # out of order on purpose
SORTED = ("ant", "class_2", "class_10", "zebra")


def batch(num: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, 3072), planes of red, green, blue; labels (N,)."""
    draw = np.random.default_rng(seed)
    return draw.integers(0, 256, (num, 3072), dtype=np.uint8), np.arange(num) % 4


def check(folder: Path, num_train: int, test: str) -> None:
    data = open_dataset(folder)
    assert data.format == "cifar" and data.classes == SORTED
    values, labels = batch(5, seed=1)
    assert [data.classes[label] for label in data.labels[:5]] == [NAMES[label] for label in labels]
    assert data.splits == ["train"] * num_train + ["test"] * 3
    assert data.paths[-1] == f"{test}[2]"
    expected = np.stack([values[1, :1024], values[1, 1024:2048], values[1, 2048:]], axis=-1).reshape(32, 32, 3)
    np.testing.assert_array_equal(data.images.pixels(1), expected)
    assert data.images.pixels(1).flags.writeable


def test_cifar10_binary(tmp_path: Path) -> None:
    for name, num, seed in (("data_batch_1.bin", 5, 1), ("data_batch_2.bin", 4, 2), ("test_batch.bin", 3, 3)):
        values, labels = batch(num, seed)
        (tmp_path / name).write_bytes(np.hstack([labels[:, None].astype(np.uint8), values]).tobytes())
    (tmp_path / "batches.meta.txt").write_text("\n".join(NAMES) + "\n\n")
    check(tmp_path, 9, "test_batch.bin")
    assert open_dataset(tmp_path).notes == ("2 of 5 training batches are there",)


def test_cifar100_binary_uses_the_fine_labels(tmp_path: Path) -> None:
    for name, num, seed in (("train.bin", 5, 1), ("test.bin", 3, 3)):
        values, labels = batch(num, seed)
        both = np.stack([np.full(num, 77), labels], axis=1).astype(np.uint8)
        (tmp_path / name).write_bytes(np.hstack([both, values]).tobytes())
    (tmp_path / "fine_label_names.txt").write_text("\n".join(NAMES))
    check(tmp_path, 5, "test.bin")
    assert open_dataset(tmp_path).notes == ("left aside the coarse labels: the 100 fine classes are used",)


def python2(values: object) -> bytes:
    """A pickle as the published ones are: protocol 2, text as byte strings, numpy under its old name."""
    data = pickle.dumps(values, protocol=2)
    return data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def write_pickles(folder: Path, order: str = "C") -> None:
    for name, num, seed in (("data_batch_1", 5, 1), ("test_batch", 3, 3)):
        values, labels = batch(num, seed)
        content = {b"data": np.asarray(values, order=order), b"labels": labels.tolist()}  # type: ignore[call-overload]
        (folder / name).write_bytes(python2(content))
    (folder / "batches.meta").write_bytes(python2({"label_names": NAMES}))


@pytest.mark.parametrize("order", ["C", "F"])
def test_cifar10_pickles(order: str, tmp_path: Path) -> None:
    write_pickles(tmp_path, order)
    check(tmp_path, 5, "test_batch")


def test_a_pickle_as_python2_wrote_it(tmp_path: Path) -> None:
    """The opcodes of the published files, by hand: byte strings in place of Python 3's text and encode()."""
    values, labels = batch(4, seed=1)
    raw = values.tobytes()
    content = (
        b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x04M\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + len(raw).to_bytes(4, "little") + raw
        + b"tbU\x06labels](K\x00K\x01K\x02K\x03eu."
    )  # fmt: skip
    assert pickle.loads(content, encoding="bytes")[b"data"].tolist() == values.tolist(), "numpy reads it so"
    (tmp_path / "data_batch_1").write_bytes(content)
    (tmp_path / "batches.meta").write_bytes(python2({"label_names": NAMES}))
    data = open_dataset(tmp_path)
    assert [data.classes[label] for label in data.labels] == [NAMES[label] for label in labels]
    np.testing.assert_array_equal(data.images.pixels(2)[..., 1], values[2, 1024:2048].reshape(32, 32))


def test_cifar100_pickles(tmp_path: Path) -> None:
    for name, num, seed in (("train", 5, 1), ("test", 3, 3)):
        values, labels = batch(num, seed)
        content = {"data": values, "coarse_labels": [0] * num, "fine_labels": labels.tolist()}
        (tmp_path / name).write_bytes(python2(content))
    (tmp_path / "meta").write_bytes(python2({"fine_label_names": NAMES, "coarse_label_names": ["x"]}))
    check(tmp_path, 5, "test")


class Malicious:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("where", ["data_batch_1", "batches.meta"])
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_code_in_a_pickle_never_runs(where: str, protocol: int, tmp_path: Path) -> None:
    write_pickles(tmp_path)
    mark = tmp_path / "ran"
    data = pickle.dumps({"data": Malicious(mark), "labels": [0]}, protocol=protocol)
    (tmp_path / where).write_bytes(data)
    with pytest.raises(DataError, match=rf"{where}: contains code \((posix|nt|os).mkdir\), which is not run"):
        open_dataset(tmp_path)
    assert not mark.exists()
    pickle.loads(data)
    assert mark.exists(), "the pickle would have run"


@pytest.mark.parametrize(
    "code",
    [
        b"\x80\x02cbuiltins\neval\nU\x011\x85R.",
        b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R.",
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n.",
        b"\x80\x02cnumpy\nndarray\nU\x01xb.",
        b"\x80\x02U\x03abcQ.",
        b"\x80\x02\x82\x01.",
        b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93\x8c\x04pass\x85R.",
        b"",
        b"\x80\x02}",
        b"garbage",
    ],
)
def test_odd_pickles_are_data_errors(code: bytes, tmp_path: Path) -> None:
    write_pickles(tmp_path)
    (tmp_path / "data_batch_1").write_bytes(code)
    with pytest.raises(DataError, match=r"data_batch_1: (contains code|not a readable pickle|no CIFAR batch)"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [0]}, "1 labels for 2 pictures"),
        (
            {"data": np.zeros((2, 3072), np.uint8), "labels": [0, 4]},
            "labels run from 0 to 4, .* names 4 classes",
        ),
        ({"data": np.zeros((2, 3072), np.float32), "labels": [0, 1]}, "not an array of unsigned bytes"),
        ({"data": np.zeros((2, 100), np.uint8), "labels": [0, 1]}, r"of shape \(N, 3072\)"),
        ({"data": [1, 2], "labels": [0, 1]}, "no CIFAR batch: expected an array `data`"),
        ([1, 2], "a list instead of a dictionary"),
    ],
)
def test_batches_that_do_not_fit(content: object, message: str, tmp_path: Path) -> None:
    write_pickles(tmp_path)
    (tmp_path / "data_batch_1").write_bytes(python2(content))
    with pytest.raises(DataError, match=message):
        open_dataset(tmp_path)


def test_a_cut_binary_batch(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1.bin").write_bytes(bytes(3073 + 100))
    (tmp_path / "batches.meta.txt").write_text("a\nb\n")
    with pytest.raises(DataError, match=r"3,173 bytes, which is no multiple of the 3073 of a picture"):
        open_dataset(tmp_path)


def test_the_folder_around_the_batches_is_entered(tmp_path: Path) -> None:
    inner = tmp_path / "cifar-10-batches-py"
    inner.mkdir()
    write_pickles(inner)
    (inner / "readme.html").write_text("")
    check(tmp_path, 5, "test_batch")


def test_a_pickle_that_keeps_objects_far_away_is_not_loaded(tmp_path: Path) -> None:
    """Five bytes by which the unpickler would fill 16 GiB: LONG_BINPUT to place 2**30."""
    (tmp_path / "batches.meta").write_bytes(pickle.dumps({b"label_names": [b"a", b"b"]}))
    (tmp_path / "data_batch_1").write_bytes(b"\x80\x02}r" + (1 << 30).to_bytes(4, "little") + b".")
    with pytest.raises(DataError, match="keeps an object in place 1,073,741,824"):
        open_dataset(tmp_path)


def test_class_names_that_are_no_text(tmp_path: Path) -> None:
    """Lists in lists, whose text would double with each."""
    nested: list[object] = []
    for _ in range(40):
        nested = [nested, nested]
    (tmp_path / "batches.meta").write_bytes(pickle.dumps({b"label_names": nested}))
    (tmp_path / "data_batch_1").write_bytes(b"")
    with pytest.raises(DataError, match="no list of distinct class names"):
        open_dataset(tmp_path)
