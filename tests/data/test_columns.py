"""Further columns of a table: kept as text, row by row, through all that becomes of a data set."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from sightline.data import open_dataset
from sightline.data.convert import convert
from sightline.data.dataset import ArrayImages, Dataset
from sightline.errors import DataError
from sightline.evaluation.runs import aligned

Tree = Callable[..., Path]
PICTURES = ["a.png", "b.png", "c.png"]
CSV = 'path,camera,label,,age\na.png,"x, y",p,0,7\nb.png,,q,1,\nc.png,z,p,2,8.50\n'


def texts(data: Dataset) -> dict[str, list[str]]:
    return {name: list(cells) for name, cells in data.columns.items()}


def test_columns_of_a_csv_are_text_as_written(tree: Tree) -> None:
    data = open_dataset(tree(PICTURES, {"t.csv": CSV}))
    assert texts(data) == {"camera": ["x, y", "", "z"], "age": ["7", "", "8.50"]}
    assert data.notes[:2] == (
        "2 columns (camera, age) beside path, label, split, group: not learned from; `evaluate --by` measures by them",
        "left aside 1 column () of the table: only path, label, split, group are used",
    )
    assert open_dataset(tree(PICTURES, {"t.csv": "path,label\na.png,p\nb.png,q\n"})).columns == {}


def test_of_two_columns_of_one_name_neither_is_kept(tree: Tree) -> None:
    data = open_dataset(tree(PICTURES, {"t.csv": "path,label,x,x\na.png,p,1,2\nb.png,q,3,4\n"}))
    assert data.columns == {} and "left aside 1 column (x)" in data.notes[0]


def test_columns_of_json_lines(tree: Tree) -> None:
    rows = [
        {"path": p, "label": "pq"[i % 2], "n": [1, None, 2.5][i], "ok": [True, False, None][i], "box": [1, 2]}
        for i, p in enumerate(PICTURES)
    ]
    data = open_dataset(tree(PICTURES, {"t.jsonl": "\n".join(map(json.dumps, rows))}))
    assert texts(data) == {"n": ["1", "", "2.5"], "ok": ["true", "false", ""]}
    assert "left aside 1 column (box)" in data.notes[1]


def test_columns_of_parquet(tree: Tree) -> None:
    columns = {
        "path": PICTURES, "label": ["p", "q", "p"], "n": [1, None, 2], "x": [0.5, 1.0, None], "raw": [b"\xff"] * 3,
        "list": [[1], [2], []], "kind": pa.array(["u", "v", "u"]).dictionary_encode(),
    }  # fmt: skip
    root = tree(PICTURES)
    parquet.write_table(pa.table(columns), root / "t.parquet")
    data = open_dataset(root)
    assert texts(data) == {"n": ["1", "", "2"], "x": ["0.5", "1.0", ""], "kind": ["u", "v", "u"]}


def test_columns_of_hugging_faces_metadata_that_all_splits_have(tree: Tree) -> None:
    data = open_dataset(
        tree(
            ["train/a.png", "train/b.png", "test/c.png"],
            {
                "train/metadata.csv": "file_name,label,site,extra\na.png,p,x,1\nb.png,q,y,2\n",
                "test/metadata.csv": "file_name,site,label\nc.png,z,p\n",
            },
        )
    )
    assert dict(zip(data.paths, data.columns["site"], strict=True)) == {
        "train/a.png": "x", "train/b.png": "y", "test/c.png": "z",
    }  # fmt: skip
    assert list(data.columns) == ["site"]


def test_they_follow_their_rows(tree: Tree) -> None:
    data = open_dataset(tree(PICTURES, {"t.csv": CSV}))
    assert texts(data.without([1], "")) == {"camera": ["x, y", "z"], "age": ["7", "8.50"]}
    assert texts(aligned(data, ("q", "o", "p"))) == texts(data)
    with pytest.raises(DataError, match="column camera"):
        dataclasses.replace(data, columns={"camera": ["x"]})


def test_a_table_holds_them_and_other_formats_say_that_they_do_not(tree: Tree, tmp_path: Path) -> None:
    done = convert(tree(PICTURES, {"t.csv": CSV}) / "t.csv", tmp_path / "out", "table")
    back = open_dataset(tmp_path / "out")
    assert texts(back) == texts(done.dataset) == {"camera": ["x, y", "", "z"], "age": ["7", "", "8.50"]}
    for to in ("folder", "webdataset", "parquet"):
        done = convert(tmp_path / "t.csv", tmp_path / to, to)
        assert "the columns are not written: only a table holds 2 columns (camera, age) like these" in done.notes
        assert done.dataset.columns == {}


def test_a_column_that_no_table_could_hold_is_an_error(tree: Tree, tmp_path: Path) -> None:
    rows = [{"path": p, "label": "pq"[i % 2], "n": "a\0b"} for i, p in enumerate(PICTURES)]
    with pytest.raises(DataError, match="NULs in the column n"):
        convert(tree(PICTURES, {"t.jsonl": "\n".join(map(json.dumps, rows))}) / "t.jsonl", tmp_path / "out", "table")


def test_arrays_have_none() -> None:
    images = ArrayImages(np.zeros((2, 3, 3, 1), np.uint8))
    assert Dataset("", "arrays", images, ["0", "1"], np.array([0, 1]), ("a", "b")).columns == {}
