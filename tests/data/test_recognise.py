"""Which format wins where several fit."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from sightline.data import open_dataset
from sightline.errors import DataError

from .making import MAKERS, coco_json, make_folder, make_idx, make_npz, make_table, make_voc, one_set, parquet_table

Tree = Callable[..., Path]


def test_voc_folders_are_no_classes(tmp_path: Path) -> None:
    """`JPEGImages` and `SegmentationClass` hold pictures each, as class folders do."""
    make_voc(one_set(), tmp_path)
    (tmp_path / "SegmentationClass").mkdir()
    (tmp_path / "SegmentationClass/2007_0.png").write_bytes(one_set()[0].png)
    data = open_dataset(tmp_path)
    assert data.format == "voc" and len(data) == 18 and data.notes == ()


def test_coco_folders_are_no_splits_of_classes(tree: Tree) -> None:
    names = ["train/cat/1.png", "train/dog/2.png", "val/cat/3.png", "val/dog/4.png"]
    found = {
        f"annotations/instances_{split}.json": json.dumps(coco_json(chosen, [[1], [2]]))
        for split, chosen in (("train", ["cat/1.png", "dog/2.png"]), ("val", ["cat/3.png", "dog/4.png"]))
    }
    data = open_dataset(tree(names, found))
    assert data.format == "coco" and data.classes == ("2", "3") and data.paths == names


def test_another_json_beside_class_folders_is_no_coco(tree: Tree) -> None:
    data = open_dataset(tree(["a/1.png", "b/2.png"], {"info.json": '{"name": "pets", "count": 2}'}))
    assert data.format == "folder" and data.notes == ("left aside 1 file (info.json): not pictures by their extension",)


def test_another_xml_beside_pictures_is_no_voc(tree: Tree) -> None:
    data = open_dataset(tree(["a/1.png", "b/2.png"], {"a/1.xml": "<svg/>"}))
    assert data.format == "folder"


def test_metadata_csv_is_hugging_faces_and_any_other_name_a_table(tree: Tree) -> None:
    rows = "file_name,label\nx/1.png,a\nx/2.png,b\n"
    assert open_dataset(tree(["x/1.png", "x/2.png"], {"metadata.csv": rows})).format == "huggingface"


def test_a_table_beside_class_folders_wins(tree: Tree) -> None:
    rows = "path,label\nx/1.png,a\ny/2.png,b\n"
    data = open_dataset(tree(["x/1.png", "y/2.png"], {"labels.csv": rows}))
    assert data.format == "table" and data.classes == ("a", "b")


def test_a_parquet_with_pictures_inside_needs_no_paths(tree: Tree) -> None:
    root = tree(["1.png", "2.png"])
    parquet.write_table(parquet_table(one_set()[:2]).rename_columns(["thumb", "label", "path"]), root / "t.parquet")
    assert open_dataset(root).format == "huggingface_parquet"
    parquet.write_table(pa.table({"path": ["1.png", "2.png"], "label": ["a", "b"]}), root / "t.parquet")
    assert open_dataset(root).format == "table"


@pytest.mark.parametrize("other", ["idx", "cifar", "huggingface_parquet"])
def test_two_sure_formats_are_an_error(other: str, tmp_path: Path) -> None:
    make_npz(one_set(), tmp_path)
    MAKERS[other](one_set(), tmp_path)
    with pytest.raises(
        DataError, match=rf"this is {min(other, 'npz')} as well as {max(other, 'npz')} data by its files"
    ):
        open_dataset(tmp_path)
    assert open_dataset(tmp_path / "signs.npz").format == "npz"


def test_a_folder_around_everything_is_entered(tmp_path: Path) -> None:
    for name in ("voc", "coco", "npz", "huggingface", "huggingface_parquet"):
        MAKERS[name](one_set(), tmp_path / f"of-{name}/outer/inner")
        assert open_dataset(tmp_path / f"of-{name}").format == name


def test_idx_and_class_folders(tmp_path: Path) -> None:
    make_idx(one_set(), tmp_path)
    make_folder(one_set(), tmp_path)
    assert open_dataset(tmp_path).format == "idx"


def test_a_table_is_weaker_than_what_knows_its_files(tmp_path: Path) -> None:
    make_table(one_set(), tmp_path)
    make_npz(one_set(), tmp_path)
    assert open_dataset(tmp_path).format == "npz"
    assert open_dataset(tmp_path / "signs.csv").format == "table"


def test_an_npz_that_is_not_pictures_beside_class_folders(tree: Tree) -> None:
    root = tree(["a/1.png", "b/2.png"])
    np.savez(root / "features.npz", embeddings=np.ones((2, 8)))
    data = open_dataset(root)
    assert data.format == "folder" and "features.npz" in data.notes[0]


def test_members_of_a_zip_may_begin_where_it_lies(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "PNG")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("cat/1.png", "cat/2.png", "dog/1.png"):
            archive.writestr(f"./{name}", file.getvalue())
    assert list(open_dataset(tmp_path / "a.zip").paths) == ["cat/1.png", "cat/2.png", "dog/1.png"]


def test_a_home_that_nobody_has_is_an_error_of_the_data() -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        open_dataset("~nobody-of-that-name/pictures")
