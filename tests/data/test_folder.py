import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from sightline.data import FORMATS, open_dataset
from sightline.data.storage.store import FolderStore
from sightline.errors import DataError

Tree = Callable[..., Path]


def names(folders: Iterable[str], num: int = 2) -> list[str]:
    return [f"{folder}/{i}.png" for folder in folders for i in range(num)]


@pytest.mark.parametrize("name", FORMATS.names())
def test_every_format_keeps_the_contract(name: str, tmp_path: Path) -> None:
    module = FORMATS.get(name)
    assert module.recognises(FolderStore(tmp_path)) == (1 if name == "folder" else 0)


def test_class_folders(tree: Tree) -> None:
    data = open_dataset(tree([*names(["class_10", "class_2", "котики"]), "class_2/deep er/x.JPEG"]))
    assert data.format == "folder"
    assert data.classes == ("class_2", "class_10", "котики")
    assert data.paths[:3] == ["class_2/0.png", "class_2/1.png", "class_2/deep er/x.JPEG"]
    assert data.counts().tolist() == [3, 2, 2]
    assert data.splits is None and data.groups is None and data.notes == ()
    assert data.images.pixels(3).shape == (3, 4, 3) and data.images.size(3) == (3, 4)


def test_split_folders(tree: Tree) -> None:
    folders = [f"{split}/{c}" for split in ("Training", "valid", "TEST") for c in ("a", "b")]
    data = open_dataset(tree(names(folders)))
    assert data.classes == ("a", "b") and data.splits is not None
    assert {p.split("/")[0]: s for p, s in zip(data.paths, data.splits, strict=True)} == {
        "Training": "train", "valid": "val", "TEST": "test",
    }  # fmt: skip
    assert [data.classes[label] for label in data.labels] == [p.split("/")[1] for p in data.paths]


def test_a_class_may_be_called_train(tree: Tree) -> None:
    assert open_dataset(tree(names(["bus", "train"]))).classes == ("bus", "train")


def test_what_is_left_aside_is_said(tree: Tree) -> None:
    texts = {"readme.txt": "", "a/a.xml": "", "b/b.xml": "", "b/c.xml": "", "b/d.xml": ""}
    data = open_dataset(tree([*names(["a", "b"]), "stray.png"], texts))
    assert data.notes == (
        "left aside 5 files (a/a.xml, b/b.xml, b/c.xml and 2 more): not pictures by their extension",
        "left aside 1 picture (stray.png): beside the class folders",
    )
    assert len(data) == 4


def test_what_lies_beside_the_splits_is_said(tree: Tree) -> None:
    data = open_dataset(tree([*names(["train/a", "train/b", "test/a"]), "unlabelled/x.png", "train/b/y.png"]))
    assert data.notes == (
        "left aside 1 picture (unlabelled/x.png): outside train, val and test, or beside the class folders",
    )
    assert len(data) == 7


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        ([], r"no pictures. Found: nothing"),
        (["0.png", "1.png"], r"2 pictures \(0.png, 1.png\) lie beside each other, not in class folders"),
        (names(["cats"]), "there is one class only, 'cats'"),
        (["cats/2019/a.png", "cats/2019/b.png"], "there is one class only, 'cats'"),
        (names(["train", "test"]), "directly in test/, train/, not in class folders below"),
        (names(["train/a", "train/b", "val/a", "val/bb"]), r"'bb' occurs in val but never in train"),
    ],
)
def test_layouts_that_cannot_be_learned_from(pictures: list[str], message: str, tree: Tree) -> None:
    root = tree(pictures)
    with pytest.raises(DataError, match=message) as caught:
        open_dataset(root)
    assert str(root) in str(caught.value)


def test_no_pictures_says_what_was_found_and_what_is_expected(tree: Tree) -> None:
    with pytest.raises(DataError, match=r"1 file \(labels.txt\)(.|\n)*folder/<class>/\*.jpg(.|\n)*zip or tar"):
        open_dataset(tree([], {"labels.txt": ""}))


def test_a_data_set_to_measure_on_needs_no_training_rows(tree: Tree) -> None:
    assert set(open_dataset(tree(names(["test/a", "test/b"]))).splits or ()) == {"test"}


@pytest.mark.parametrize(
    ("pictures", "empty", "named"),
    [
        (["a", "b"], "c", r"1 folder \(c/\) without any picture"),
        (["train/a", "train/b", "test/a"], "test/b", r"\(test/b/\)"),
        (["train/a", "train/b"], "val", r"\(val/\)"),
    ],
)
def test_an_empty_class_folder_is_named(pictures: list[str], empty: str, named: str, tree: Tree) -> None:
    root = tree(names(pictures))
    (root / empty).mkdir()
    with pytest.raises(DataError, match=named):
        open_dataset(root)


def test_an_empty_folder_deeper_or_elsewhere_does_not_matter(tree: Tree) -> None:
    root = tree(names(["train/a", "train/b"]))
    (root / "train/a/empty").mkdir()
    (root / "output").mkdir()
    assert len(open_dataset(root)) == 4


@pytest.mark.parametrize("wrapper", ["wrapped", "two/levels"])
@pytest.mark.parametrize("layout", [["a", "b"], ["train/a", "train/b"], ["train/a", "train/b", "test/a"]])
def test_folders_around_everything_are_entered(wrapper: str, layout: list[str], tree: Tree) -> None:
    root = tree([f"{wrapper}/{name}" for name in names(layout)], {"README.md": "", f"{wrapper}/note.txt": ""})
    data = open_dataset(root)
    assert data.classes == ("a", "b") and data.paths[0] == min(names(layout))
    assert (data.splits is None) == (layout == ["a", "b"])
    top = wrapper.split("/")[0]
    assert data.notes[0] == f"left aside 1 file (README.md): beside the folder {top}"
    assert data.notes[1] == "left aside 1 file (note.txt): not pictures by their extension"
    assert data.images.pixels(0).shape == (3, 4, 3)


def test_a_folder_beside_pictures_is_not_entered(tree: Tree) -> None:
    with pytest.raises(DataError, match="one class only, 'x'"):
        open_dataset(tree([*names(["x/a", "x/b"]), "stray.png"]))


def test_zip_and_tar_read_as_the_folder_does(tree: Tree, tmp_path: Path) -> None:
    root = tree(names(["data/a", "data/b"]))
    folder = open_dataset(root)
    outside = tmp_path.parent
    archives = [Path(shutil.make_archive(str(outside / "x"), kind, root)) for kind in ("zip", "tar", "gztar")]
    for path in archives:
        data = open_dataset(path)
        assert (list(data.paths), data.classes, data.location) == (folder.paths, folder.classes, str(path))
        np.testing.assert_array_equal(data.images.pixels(3), folder.images.pixels(3))


def test_archives_are_recognised_whatever_wrote_them(shared: Path) -> None:
    expected = {
        "trashnet.zip": (6, None),
        "hymenoptera.zip": (2, {"train", "val"}),
        "orl_faces.zip": (40, None),
    }
    for name, (num_classes, splits) in expected.items():
        with zipfile.ZipFile(shared / "data" / name) as archive:
            num_files = sum(not info.is_dir() for info in archive.infolist())
        data = open_dataset(shared / "data" / name)
        assert (len(data), len(data.classes)) == (num_files, num_classes)
        assert (data.splits and set(data.splits)) == splits and data.notes == ()
    faces = open_dataset(shared / "data/orl_faces.zip")
    assert faces.classes[:3] == ("s1", "s2", "s3") and faces.images.pixels(0).shape == (112, 92, 1)


def test_cifar_as_jpeg(shared: Path) -> None:
    data = open_dataset(shared / "data/cifar10_jpg.tar.gz")
    assert data.counts().tolist() == [6000] * 10 and data.splits is not None
    assert (data.splits.count("train"), data.splits.count("test")) == (50_000, 10_000)
    assert data.images.pixels(59_999).shape == (32, 32, 3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("flowers_102x", r"no such file or folder, and no data set .* Did you mean flowers102\?"),
        ("missing/folder", r"^missing/folder: no such file or folder$"),
        ("missing.zip", r"^missing.zip: no such file or folder$"),
    ],
)
def test_places_that_do_not_exist(given: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_dataset(given)


def test_a_single_picture_is_no_data_set(tree: Tree) -> None:
    with pytest.raises(DataError, match=r"x.png: not a folder, an archive .*, a table"):
        open_dataset(tree(["x.png"]) / "x.png")


def test_an_archive_without_pictures_says_so(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("notes.txt"))
    with pytest.raises(DataError, match=r"a.tar: no pictures. Found: 1 file \(notes.txt\)"):
        open_dataset(tmp_path / "a.tar")


def test_reading_needs_no_torch(tree: Tree) -> None:
    root = tree(names(["a", "b"]))
    code = (
        "import sys; from sightline.data import open_dataset; "
        f"open_dataset({str(root)!r}).images.pixels(0); "
        "assert not {'torch', 'torchvision', 'pyarrow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
