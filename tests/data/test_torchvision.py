import inspect
import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.data import open_dataset
from sightline.data.decode import PictureError
from sightline.data.formats.torchvision import NAMES, SOURCES, _TorchvisionImages, is_name, read_by_name
from sightline.errors import DataError

datasets = pytest.importorskip("torchvision.datasets")


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


class QuietServer(ThreadingHTTPServer):
    """Says nothing when a client hangs up, as torchvision does after it has looked for redirections."""

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@pytest.fixture
def mirror(shared: Path) -> Iterator[str]:
    """A server on this machine that has the files of MNIST and Fashion-MNIST."""
    handler = partial(QuietHandler, directory=str(shared / "data"))
    with QuietServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "torch"


def test_a_data_set_is_downloaded_once_and_equals_its_files(
    mirror: str, home: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [f"{mirror}fashion_mnist/"])
    data = open_dataset("FashionMNIST")
    assert (home / "datasets/FashionMNIST/raw/train-images-idx3-ubyte").is_file()
    files = open_dataset(shared / "data/fashion_mnist")
    assert data.location == "torchvision:fashion_mnist"
    names = datasets.FashionMNIST.classes  # the files know numbers only
    assert data.classes == tuple(sorted(names))
    assert [data.classes[i] for i in data.labels] == [names[int(files.classes[i])] for i in files.labels]
    assert data.splits == files.splits
    assert (data.paths[0], data.paths[60_000]) == ("train[0]", "test[0]")
    for row in (0, 59_999, 60_000, 69_999):
        np.testing.assert_array_equal(data.images.pixels(row), files.images.pixels(row))
        assert data.images.size(row) == (28, 28)
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", ["http://127.0.0.1:9/"])
    assert len(open_dataset("fashion_mnist")) == 70_000


def test_a_download_with_another_checksum_is_refused(mirror: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.KMNIST, "mirrors", [f"{mirror}fashion_mnist/"])
    with pytest.raises(DataError, match=r"(?s)kmnist: torchvision could not download it.*corrupted"):
        open_dataset("kmnist")


def test_without_a_network_it_says_what_was_tried_and_what_to_do(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(DataError, match=r"mnist: torchvision could not download it") as caught:
        open_dataset("mnist")
    message = str(caught.value)
    assert "http://127.0.0.1:9/" in message and str(home / "datasets") in message
    assert "datasets.MNIST('DIR', download=True, train=True)" in message


def test_a_path_of_that_name_comes_first(tmp_path: Path) -> None:
    (tmp_path / "mnist").mkdir()
    with pytest.raises(DataError, match=r"no pictures. Found: nothing"):
        open_dataset("mnist")


def test_names_forgive_case_and_hyphens() -> None:
    assert all(is_name(name) for name in (*NAMES, "CIFAR10", "Fashion-MNIST", "FashionMNIST", "OxfordIIITPet"))
    assert not is_name("cifar") and not is_name("")
    with pytest.raises(DataError, match=r"unknown data set 'cifar_11'. Did you mean cifar10"):
        read_by_name("cifar_11")


@pytest.mark.parametrize("name", NAMES)
def test_the_table_fits_the_installed_torchvision(name: str) -> None:
    source = SOURCES[name]
    cls = getattr(datasets, source.cls)
    parameters = {p for base in cls.__mro__[:-1] for p in inspect.signature(base).parameters}
    assert {"root", "download"} <= parameters
    for arguments in source.splits.values():
        assert set(arguments) <= parameters
    code = "".join(inspect.getsource(base) for base in cls.__mro__[:-1] if "torchvision" in base.__module__)
    for attribute in (source.labels, source.classes):
        if attribute is not None:
            assert f"self.{attribute}" in code or f"    {attribute} = " in code


def test_files_are_decoded_here_and_damaged_ones_are_picture_errors(tmp_path: Path) -> None:
    Image.new("RGB", (64, 32), (10, 20, 30)).save(tmp_path / "a.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (64, 32)).save(tmp_path / "turned.jpg", exif=exif)
    (tmp_path / "bad.jpg").write_bytes(b"no")
    paths = [(str(tmp_path / name), 0) for name in ("a.jpg", "turned.jpg", "bad.jpg")]
    images = _TorchvisionImages([paths[:1], paths[1:], [(Image.new("L", (7, 5)), 0)], Unreadable()])
    assert len(images) == 5
    assert images.pixels(0, 16).shape == (16, 32, 3) and images.size(0) == (32, 64)
    assert images.pixels(1).shape == (64, 32, 3) and images.size(1) == (64, 32)
    assert images.pixels(3).shape == (5, 7, 1) and images.size(3) == (5, 7)
    for row in (2, 4):
        with pytest.raises(PictureError):
            images.pixels(row)


def test_pictures_that_torchvision_keeps_as_files_are_decoded_upright_and_scaled(home: Path) -> None:
    root = home / "datasets/food-101"
    (root / "meta").mkdir(parents=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("soup", "cake"):
        (root / "images" / kind).mkdir(parents=True)
        for name in ("1", "2"):
            Image.new("RGB", (64, 32)).save(root / f"images/{kind}/{name}.jpg", exif=exif)
    for split, name in (("train", "1"), ("test", "2")):
        (root / f"meta/{split}.json").write_text(json.dumps({k: [f"{k}/{name}"] for k in ("soup", "cake")}))
    data = open_dataset("Food101")
    assert data.classes == ("cake", "soup") and data.labels.tolist() == [1, 0, 1, 0]
    assert data.splits == ["train", "train", "test", "test"]
    assert data.images.pixels(3, 16).shape == (32, 16, 3) and data.images.size(3) == (64, 32)


class Unreadable:
    """A data set of torchvision's that opens its only file itself, and fails."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, row: int) -> tuple[Image.Image, int]:
        raise OSError("image file is truncated")
