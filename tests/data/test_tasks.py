"""Tables with several labels a row, or numbers: what is understood, what is refused, and where."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from sightline.data import open_dataset
from sightline.data.dataset import ArrayImages, Dataset
from sightline.data.tasks import TASKS, multi
from sightline.errors import DataError
from sightline.evaluation.runs import aligned

Tree = Callable[..., Path]
PICTURES = [f"{i}.png" for i in range(4)]


def opened(tree: Tree, cells: list[str], header: str = "path,labels") -> Dataset:
    """A table with these cells beside the paths 0.png, 1.png, ..."""
    lines = [header, *(f"{i}.png,{cell}" for i, cell in enumerate(cells))]
    return open_dataset(tree(PICTURES[: len(cells)], {"t.csv": "\n".join(lines) + "\n"}))


@pytest.mark.parametrize("separator", [";", "|", " ; "])
def test_a_column_labels_holds_lists(tree: Tree, separator: str) -> None:
    data = opened(tree, [f"cat{separator}dog", "", "dog", f"dog{separator}10{separator}2"])
    assert data.task == "multi" and data.classes == ("2", "10", "cat", "dog")
    assert data.labels.dtype == np.uint8
    assert data.labels.tolist() == [[0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 1], [1, 1, 0, 1]]
    assert data.counts().tolist() == [1, 1, 1, 3]
    assert data.class_rows(3).tolist() == [0, 2, 3]
    assert data.notes[0].startswith("several labels a picture, from the column labels separated by ")
    assert [data.label_text(row) for row in range(3)] == ["cat;dog", "", "dog"]


def test_a_name_with_a_separator_in_the_column_label_stays_whole(tree: Tree) -> None:
    data = opened(tree, ["a;b", "c|d", "a;b", "c|d"], "path,label")
    assert data.task == "single" and data.classes == ("a;b", "c|d") and data.notes == ()


def test_names_with_commas_are_whole_where_the_separator_is_another(tree: Tree) -> None:
    assert opened(tree, ['"horse, wild;dog"', "dog"]).classes == ("dog", "horse, wild")


def test_json_lists_hold_any_name_and_come_back_as_such(tree: Tree) -> None:
    data = opened(tree, ['"[""a;b"", ""c|d""]"', "", '"[""a;b""]"'])
    assert data.classes == ("a;b", "c|d") and data.labels.tolist() == [[1, 1], [0, 0], [1, 0]]
    assert data.label_text(0) == '["a;b", "c|d"]'


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["a;b", "a|b", "b"], r"both ; \(line 2\) and \| \(line 3\)"),
        (['"a,b"', "a"], r"has commas \(line 2\), but labels are separated by ; or \|"),
        (["a;;b", "a"], "line 2: an empty label in"),
        (["a;b;", "a"], "line 2: an empty label in"),
        (["b", "a;b;a"], "line 3: 'a' twice in"),
        (["[1]", "a"], r"line 2: '\[1\]' is not a JSON list of names"),
        (['"[""a""]"', "a"], "line 3: 'a' is not a JSON list of names"),
    ],
)
def test_lists_that_could_be_misread_are_refused(tree: Tree, cells: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        opened(tree, cells)


def test_one_label_a_row_is_pointed_out(tree: Tree) -> None:
    assert "rename the column to label" in opened(tree, ["a", "b", "a"]).notes[0]


@pytest.mark.parametrize(("no", "yes"), [("0", "1"), ("0.0", "1.0"), ("False", "True")])
def test_columns_of_0_and_1_are_a_class_each(tree: Tree, no: str, yes: str) -> None:
    cells = [f"{yes},{no},p1", f"{no},{no},p1", f"{yes},{yes},p2"]
    data = opened(tree, cells, "path,Mass,Nodule,group")
    assert data.task == "multi" and data.classes == ("Mass", "Nodule")
    assert data.labels.tolist() == [[1, 0], [0, 0], [1, 1]]
    assert data.groups == ("p1", "p1", "p2") and "from 2 columns of 0 and 1" in data.notes[0]


def test_a_column_that_is_not_0_and_1_among_such_is_named_with_its_line(tree: Tree) -> None:
    root = tree(PICTURES[:2], {"t.csv": "path,Mass,Nodule,Age\n0.png,1,0,41\n1.png,0,1,1\n"})
    with pytest.raises(DataError, match="but Age holds '41' on line 2; remove the column"):
        open_dataset(root / "t.csv")


def test_a_table_of_0_and_1_beside_class_folders_does_not_take_over(tree: Tree) -> None:
    """One column of 0 and 1 may be anything; and a table without a path is none of pictures."""
    texts = {"a.csv": "path,used\na/0.png,1\n", "b.csv": "x,y\n0,1\n"}
    assert open_dataset(tree(["a/0.png", "b/0.png"], texts)).format == "folder"


def test_parquet_has_lists_bits_and_numbers(tree: Tree) -> None:
    root = tree(PICTURES[:2])
    for name, columns, expected in (
        ("lists", {"labels": [["a;b", "c"], []]}, [[1, 1], [0, 0]]),
        ("bits", {"x": [True, False], "y": [0, 1]}, [[1, 0], [0, 1]]),
        ("numbers", {"value": [0.5, 2.0]}, [[0.5], [2.0]]),
    ):
        parquet.write_table(pa.table({"path": PICTURES[:2], **columns}), root / f"{name}.parquet")
        assert open_dataset(root / f"{name}.parquet").labels.tolist() == expected


def test_a_column_value_holds_numbers_and_label_never_does(tree: Tree) -> None:
    data = opened(tree, ["1", "-2.5", "3e2"], "path,value")
    assert data.task == "number" and data.classes == ("value",) and data.labels.tolist() == [[1.0], [-2.5], [300.0]]
    assert data.class_rows(0).tolist() == [0, 1, 2] and data.counts().tolist() == [3]
    assert opened(tree, ["1", "2", "3"], "path,label").task == "single"


def test_several_numbers_have_columns_of_their_own(tree: Tree) -> None:
    data = opened(tree, ["1,2,x", "3,4,y"], "path,value_Width,value_height,note")
    assert data.classes == ("Width", "height") and data.labels.tolist() == [[1, 2], [3, 4]]
    assert data.notes[0] == "numbers to be estimated, from the columns value_Width, value_height"
    assert data.notes[1].startswith("1 column (note) beside path, value_Width") and list(data.columns["note"]) == [
        "x",
        "y",
    ]


@pytest.mark.parametrize("cell", ["", "nan", "inf", "n/a", "1_000", "0x10", "1e999"])
def test_what_is_no_number_is_told_with_its_line(tree: Tree, cell: str) -> None:
    with pytest.raises(DataError, match=rf"no number in the column value: '{cell}' on line 3"):
        opened(tree, ["1", cell, "2"], "path,value")


def test_a_decimal_comma_is_explained(tree: Tree) -> None:
    with pytest.raises(DataError, match="Write decimals with a point"):
        opened(tree, ['"1,5"', "2"], "path,value")


@pytest.mark.parametrize("header", ["path,label,value", "path,labels,label", "path,labels,value_x"])
def test_a_table_with_two_kinds_of_labels_is_refused(tree: Tree, header: str) -> None:
    with pytest.raises(DataError, match="one class a picture, several or a number"):
        opened(tree, ["1,2", "2,1"], header)


def test_labels_that_do_not_fit_their_names_are_refused() -> None:
    images = ArrayImages(np.zeros((2, 3, 3, 1), np.uint8))
    for labels, message in (
        (np.zeros((2, 3), np.uint8), r"shape \(2, 3\) for 2 classes"),
        (np.full((2, 2), 7, np.uint8), "go up to 7"),
        (np.array([[0.0, np.nan], [1, 1]]), r"1 rows without a finite number, such as row 1"),
    ):
        with pytest.raises(DataError, match=message):
            Dataset("here", "test", images, ["a", "b"], labels, ("x", "y"))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([[1, 0], [1, 0], [0, 1], [0, 0], [0, 0]], np.uint8), r"carry 'y' \(1\)"),
        (
            np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 1]], np.uint8)[:, [0, 0]] | 1,
            "carry 'x', 'y': nothing to tell",
        ),
        (np.array([[1.0, 5], [2, 5], [3, 5], [4, 5]]), "y is 5 for every picture"),
        (np.array([[1.0, 5], [2, 5]]), "2 pictures are too few"),
    ],
)
def test_labels_that_cannot_train_are_refused(labels: np.ndarray, message: str) -> None:
    task = TASKS.get("number" if labels.dtype == np.float64 else "multi")
    with pytest.raises(DataError, match=message):
        task.check_enough(labels, ("x", "y"), "here")


def test_what_train_holds_of_one_side_only_cannot_be_learned() -> None:
    with pytest.raises(DataError, match="no picture carries 'y' in the train split"):
        multi.check_trained(np.array([[1, 0], [0, 0]], np.uint8), ("x", "y"), "here")
    with pytest.raises(DataError, match="every picture carries 'y' in the train split"):
        multi.check_trained(np.array([[1, 1], [0, 1]], np.uint8), ("x", "y"), "here")


def test_labels_are_put_in_the_order_of_a_run() -> None:
    images = ArrayImages(np.zeros((2, 3, 3, 1), np.uint8))
    data = Dataset("here", "test", images, ["a", "b"], np.array([[1, 0], [1, 1]], np.uint8), ("z", "x"))
    assert aligned(data, ("x", "y", "z"), "multi").labels.tolist() == [[0, 0, 1], [1, 0, 1]]
    with pytest.raises(DataError, match="has several classes a picture, but the run answers one class a picture"):
        aligned(data, ("x", "z"))
    with pytest.raises(DataError, match="unknown class 'z'"):
        aligned(data, ("x", "y"), "multi")
    numbers = Dataset("here", "test", images, ["a", "b"], np.array([[1.0, 2], [3, 4]]), ("w", "h"))
    assert aligned(numbers, ("h", "w"), "number").labels.tolist() == [[2, 1], [4, 3]]
    with pytest.raises(DataError, match="lack the number 'd'"):
        aligned(numbers, ("h", "w", "d"), "number")
