"""Hugging Face's image folders with metadata files."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sightline.data import open_dataset
from sightline.data.formats._common import split_of
from sightline.errors import DataError

Tree = Callable[..., Path]
CARD = """---
dataset_info:
  features:
  - name: image
    dtype: image
  - name: label
    dtype:
      class_label:
        names:
          '0': cat
          '1': dog
---
# Pets
"""


def lines(*rows: dict[str, object]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_json_lines_with_one_file_a_split(tree: Tree) -> None:
    root = tree(
        ["train/a.png", "train/sub/b.png", "test/a.png", "test/c.png"],
        {
            "train/metadata.jsonl": lines(
                {"file_name": "a.png", "label": 3, "text": "x"}, {"file_name": "sub/b.png", "label": "é", "text": None}
            ),
            "test/metadata.jsonl": lines({"file_name": "a.png", "label": 3, "text": "y"}) + "\n",
        },
    )
    data = open_dataset(root)
    assert data.format == "huggingface" and data.classes == ("3", "é")
    assert data.paths == ["test/a.png", "train/a.png", "train/sub/b.png"]
    assert data.splits == ["test", "train", "train"] and data.labels.tolist() == [0, 0, 1]
    assert data.notes == (
        "1 column (text) beside path, label, split, group: not learned from; `evaluate --by` measures by them",
        "left aside 1 picture (test/c.png): not in the metadata",
    )
    assert data.images.pixels(1)[0, 0, 0] == 0 and data.images.pixels(0)[0, 0, 0] == 2


def test_metadata_come_before_class_folders(tree: Tree) -> None:
    names = ["cat/1.png", "cat/2.png", "dog/3.png"]
    rows = "file_name,label\ncat/1.png,wild\ncat/2.png,tame\ndog/3.png,tame\n"
    root = tree(names, {"metadata.csv": rows})
    data = open_dataset(root)
    assert data.format == "huggingface" and data.classes == ("tame", "wild") and data.labels.tolist() == [1, 0, 0]


def test_metadata_without_labels_leave_the_class_folders(tree: Tree) -> None:
    data = open_dataset(tree(["cat/1.png", "dog/3.png"], {"metadata.csv": "file_name,text\ncat/1.png,a cat\n"}))
    assert data.format == "folder" and data.classes == ("cat", "dog")
    assert data.notes == ("left aside 1 file (metadata.csv): not pictures by their extension",)


def test_a_folder_called_train_among_others_is_no_split(tree: Tree) -> None:
    rows = "file_name,label\nbus/1.png,road\ntrain/2.png,rail\ncar/3.png,road\n"
    data = open_dataset(tree(["bus/1.png", "train/2.png", "car/3.png"], {"metadata.csv": rows}))
    assert data.splits is None
    assert data.notes == ("train not taken for a split: 2 pictures (bus/1.png, car/3.png) outside such folders",)


def test_the_only_split_train_is_none(tree: Tree) -> None:
    rows = "file_name,label\n1.png,a\n2.png,b\n"
    data = open_dataset(tree(["train/1.png", "train/2.png"], {"train/metadata.csv": rows}))
    assert data.splits is None and "the only split is train" in data.notes[0]


def test_the_card_names_indices(tree: Tree) -> None:
    texts = {"README.md": CARD, "metadata.csv": "file_name,label\n1.png,1\n2.png,0\n"}
    data = open_dataset(tree(["1.png", "2.png"], texts))
    assert data.classes == ("cat", "dog") and data.labels.tolist() == [1, 0]


def test_labels_that_are_no_indices_stay_as_written(tree: Tree) -> None:
    texts = {"README.md": CARD, "metadata.csv": "file_name,label\n1.png,1\n2.png,owl\n"}
    assert open_dataset(tree(["1.png", "2.png"], texts)).classes == ("1", "owl")


def test_columns_split_and_group(tree: Tree) -> None:
    rows = "file_name,label,split,group\n1.png,a,train,g\n2.png,b,train,h\n3.png,a,validation,i\n"
    data = open_dataset(tree(["1.png", "2.png", "3.png"], {"metadata.csv": rows}))
    assert data.splits == ["train", "train", "val"] and data.groups == ["g", "h", "i"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"metadata.csv": "file_name,label\n1.png,1\n2.png,2\n", "README.md": CARD},
         r"the labels 2 occur, but README.md names 2 classes \(0 to 1\)"),
        ({"metadata.csv": "file_name,label\n1.png,a\n1.png,b\n"},
         r"1.png \(metadata.csv, line 2, metadata.csv, line 3\)"),
        ({"metadata.csv": "file_name,label\n1.png,a\n2.png,\n"}, "metadata.csv: empty label on line 3"),
        ({"metadata.csv": "file_name,label\nhttps://x.org/1.png,a\n2.png,b\n"},
         r"metadata.csv: line 2 \(https://x.org/1.png\): addresses on the web are not fetched"),
        ({"metadata.jsonl": '{"file_name": "1.png", "label": [1, 2]}\n'},
         r"metadata.jsonl, line 1: label is \[1, 2\]; expected text or a number, one label a picture"),
        ({"metadata.jsonl": '{"file_name": "1.png", "label": 1}\n{"file_name": "2.png"}\n'},
         "line 2: the keys file_name instead of file_name, label"),
        ({"metadata.jsonl": '{"file_name": "1.png", "label": 1}\n{"file_name": \n'}, "line 2: not JSON"),
        ({"a/metadata.csv": "file_name,label,group\n1.png,a,g\n", "b/metadata.csv": "file_name,label\n1.png,b\n"},
         "b/metadata.csv has no column group, but others have"),
        ({"metadata.csv": "file_name,label\n1.png,1\n2.png,0\n", "README.md": CARD.replace("dog", "cat")},
         "README.md: the class names of label are not distinct"),
        ({"metadata.csv": "file_name,label\n1.png,1\n2.png,0\n", "README.md": CARD.replace("'1':", "'2':")},
         "README.md: the class names of label are no list of names"),
        ({"metadata.csv": "file_name,label\n1.png,1\n2.png,0\n", "README.md": CARD.replace("- name", " - : [")},
         "README.md: its first block is not YAML"),
    ],
)  # fmt: skip
def test_errors_say_where(texts: dict[str, str], message: str, tree: Tree) -> None:
    with pytest.raises(DataError, match=message):
        open_dataset(tree(["1.png", "2.png"], texts))


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("data/train-00000-of-00002.parquet", "train"),
        ("data/validation-00000-of-00001-8dd5851167a67ab3.parquet", "val"),
        ("data/calibration-00000-of-00001.parquet", "calibration"),
        ("default/train/0000.parquet", "train"),
        ("my-test-file.parquet", "test"),
        ("eval.parquet", "test"),
        ("dev/x.parquet", "val"),
        ("training/testing.parquet", "train"),
        ("data/pictures-00000-of-00001.parquet", None),
        ("contest.parquet", None),
        ("trains/1.parquet", None),
    ],
)
def test_splits_by_name_as_hugging_face_has_them(name: str, split: str | None) -> None:
    assert split_of(name) == split


@pytest.mark.parametrize(
    "names",
    ["{zero: a, one: b}", "{[1]: a}", "[[a], [b]]", '["a", "\\ud800"]', "2020-99-99", "[" * 3000],
)
def test_a_card_whose_class_names_are_none(names: str, tree: Tree) -> None:
    card = f"---\ndataset_info:\n  features:\n  - name: label\n    dtype: {{class_label: {{names: {names}}}}}\n---\n"
    rows = "file_name,label\n1.png,0\n2.png,1\n"
    with pytest.raises(DataError, match=r"README\.md"):
        open_dataset(tree(["1.png", "2.png"], {"metadata.csv": rows, "README.md": card}))


def test_a_card_of_a_few_lines_that_would_fill_the_memory_is_not_shown(tree: Tree) -> None:
    """A list of ten lists of ten lists ..., each written once."""
    levels = "".join(f"l{i}: &l{i} [{', '.join(f'*l{i - 1}' for _ in range(10))}]\n" for i in range(1, 12))
    info = "dataset_info:\n  features:\n  - name: label\n    dtype: {class_label: {names: *l11}}\n"
    rows = "file_name,label\n1.png,0\n2.png,1\n"
    card = f"---\nl0: &l0 [a]\n{levels}{info}---\n"
    with pytest.raises(DataError, match="class names of label are no list"):
        open_dataset(tree(["1.png", "2.png"], {"metadata.csv": rows, "README.md": card}))
