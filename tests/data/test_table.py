import json
import math
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from sightline.data import open_dataset
from sightline.errors import DataError, MissingExtraError

Tree = Callable[..., Path]
PICTURES = ["images/a.png", "images/b.png", "c.png"]
ROWS = [("images/a.png", "00"), ("images/b.png", "0"), ("c.png", "00")]


def text(rows: Sequence[Sequence[str]], header: str = "path,label", separator: str = ",") -> str:
    return "\n".join([header.replace(",", separator), *(separator.join(row) for row in rows)]) + "\n"


@pytest.mark.parametrize(
    "written",
    [
        text(ROWS).encode(),
        text(ROWS).encode("utf-8-sig"),
        text(ROWS, separator=";").encode(),
        text(ROWS, separator="\t").encode(),
        text(ROWS).replace("\n", "\r\n").encode(),
        text(ROWS, header="Path, Label").encode(),
        text(ROWS, header="file_name,label").encode(),
        ("\n" + text(ROWS).replace("c.png", '"c.png"') + "\n").encode()[1:],
        text([(path.replace("/", "\\"), label) for path, label in ROWS]).encode(),
        text([("./" + path, label) for path, label in ROWS]).encode(),
    ],
)
def test_labels_are_text_as_written(written: bytes, tree: Tree) -> None:
    root = tree(PICTURES)
    (root / "signs.csv").write_bytes(written)
    data = open_dataset(root)
    assert data.format == "table" and data.paths == PICTURES
    assert [data.classes[label] for label in data.labels] == ["00", "0", "00"]
    assert data.splits is None and data.groups is None and data.notes == ()
    assert data.images.pixels(1)[0, 0].tolist() == [1, 0, 0]


def test_splits_and_groups(tree: Tree) -> None:
    rows = [
        ("c.png", "x", "Training", "g1"),
        ("images/a.png", "y", "train", "g 2"),
        ("images/b.png", "y", "dev", "3"),
    ]
    data = open_dataset(tree(PICTURES, {"t.tsv": text(rows, "path,label,split,group", "\t")}))
    assert data.splits == ["train", "train", "val"]
    assert data.groups is not None and list(data.groups) == ["g1", "g 2", "3"]


def test_what_is_left_aside_is_said(tree: Tree) -> None:
    rows = [("c.png", "x", "7"), ("images/a.png", "y", "8")]
    data = open_dataset(tree(PICTURES, {"t.csv": text(rows, "path,label,age")}))
    assert data.notes == (
        "1 column (age) beside path, label, split, group: not learned from; `evaluate --by` measures by them",
        "left aside 1 picture (images/b.png): not in the table",
    )


def test_a_table_may_be_given_itself_and_point_anywhere(tree: Tree, tmp_path: Path) -> None:
    tree(PICTURES)
    (tmp_path / "tables").mkdir()
    rows = [("../c.png", "x"), (str(tmp_path / "images/a.png"), "y")]
    for name in ("one.csv", "two.csv"):
        (tmp_path / "tables" / name).write_text(text(rows))
    data = open_dataset(tmp_path / "tables/two.csv")
    assert data.location == str(tmp_path / "tables/two.csv")
    assert [data.images.pixels(row)[0, 0, 0] for row in range(2)] == [2, 0]
    with pytest.raises(DataError, match=r"2 tables qualify: one.csv, two.csv. Give the one that is meant"):
        open_dataset(tmp_path / "tables")


def test_a_missing_picture_is_left_for_the_scan(tree: Tree) -> None:
    data = open_dataset(tree(PICTURES, {"t.csv": text([*ROWS, ("gone.png", "0")])}))
    with pytest.raises(FileNotFoundError):
        data.images.pixels(3)


def test_a_missing_picture_in_an_archive_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("t.csv", text([("/etc/hostname", "a"), ("../b.png", "b")]))
    data = open_dataset(tmp_path / "a.zip")
    for row in range(2):
        with pytest.raises(FileNotFoundError):
            data.images.pixels(row)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (text(ROWS, "filename,label"), "no column 'path'; found filename, label.*rename filename to path"),
        (text(ROWS, "path,classes"), "no column 'label'; found path, classes.*rename classes to label"),
        (text(ROWS, "path,xyz"), "no column 'label'; found path, xyz.*split and group.$"),
        (text(ROWS, "path,path"), "the column path occurs 2 times"),
        (text([*ROWS, ROWS[0], ROWS[0]]), r"images/a.png \(line 2, line 5, line 6\); keep one row"),
        (text([*ROWS, ("./images//a.png", "1")]), r"images/a.png \(line 2, line 5\)"),
        (text([*ROWS, ("d.png", " ")]), "empty label on line 5"),
        (text([("", "1"), *ROWS, ("", "0")]), "empty path on line 2, line 6"),
        (text([(*r, "train") for r in ROWS[:2]] + [("c.png", "00", "tran")], "path,label,split"),
         "line 4: unknown split 'tran'. Did you mean train"),
        (text([(*r, "train") for r in ROWS[:2]] + [("c.png", "9", "test")], "path,label,split"),
         "'9' occurs in test but never in train"),
        (text([(*r, "") for r in ROWS], "path,label,group"), "empty group on line 2, line 3, line 4"),
        (text([*ROWS, ("d.png", "1", "2")]), "line 5: 3 fields instead of 2"),
        (text([("a.png", "1"), ("b.png", "1")]), "one class only, '1'"),
        (text([]), "the table has no rows"),
        ("", "the table has no rows"),
        ('path,label\n"a.png,0\n', "line 2: unexpected end of data"),
    ],
)  # fmt: skip
def test_errors_say_where(written: str, message: str, tree: Tree) -> None:
    path = tree([], {"t.csv": written}) / "t.csv"
    with pytest.raises(DataError, match=message) as caught:
        open_dataset(path)
    assert str(path) in str(caught.value)


def test_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("path,label\na.png,x\nb.png,café\n".encode("latin-1"))
    with pytest.raises(DataError, match="line 3: not UTF-8; save the table as UTF-8"):
        open_dataset(tmp_path / "t.csv")


def test_a_table_of_something_else_does_not_count(tree: Tree) -> None:
    root = tree(["a/1.png", "b/1.png"], {"prices.csv": "item,price\npen,1\n"})
    data = open_dataset(root)
    assert data.format == "folder" and "prices.csv" in data.notes[0]


def write_parquet(path: Path, columns: dict[str, list[object]]) -> None:
    parquet.write_table(pa.table(columns), path)


def test_parquet(tree: Tree) -> None:
    root = tree(PICTURES)
    write_parquet(root / "t.parquet", {"path": [*PICTURES], "label": [10, 9, 10], "extra": [b"\xff", b"", None]})
    for place in (root, root / "t.parquet"):
        data = open_dataset(place)
        assert data.classes == ("9", "10") and data.labels.tolist() == [1, 0, 1]
        assert data.notes == ("left aside 1 column (extra) of the table: only path, label, split, group are used",)
        assert data.images.pixels(2)[0, 0, 0] == 2


def test_parquet_errors_say_where(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_parquet(path, {"path": ["a.png", "b.png", "a.png"], "label": ["x", "y", "x"]})
    with pytest.raises(DataError, match=r"a.png \(row 1, row 3\)"):
        open_dataset(path)
    write_parquet(path, {"path": ["a.png", "b.png"], "label": ["x", None]})
    with pytest.raises(DataError, match="empty label on row 2"):
        open_dataset(path)
    path.write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match=r"t.parquet: not a readable Parquet file"):
        open_dataset(path)


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_parquet(tmp_path / "t.parquet", {"path": ["a.png"], "label": ["x"]})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for place in (tmp_path, tmp_path / "t.parquet"):
        with pytest.raises(MissingExtraError, match=r'reading Parquet .* pyarrow: pip install "sightline\[parquet\]"'):
            open_dataset(place)


def test_traffic_signs(shared: Path) -> None:
    data = open_dataset(shared / "data/traffic_signs.zip")
    assert (data.format, len(data), len(data.classes)) == ("table", 1760, 43)
    assert data.classes[:2] == ("00", "01")
    assert data.groups is not None and data.groups[0] == "00_00000"
    assert data.notes == () and data.images.pixels(1759).shape[2] == 3


@pytest.mark.parametrize("value", ['"label": ' + "[" * 3000, '"label": "\\ud800"', '"\\ud800": "a"'])
def test_json_that_is_too_deep_or_no_text(value: str, tree: Tree) -> None:
    rows = '{"path": "a.png", "label": "a"}\n{"path": "b.png", ' + value + "}\n"
    with pytest.raises(DataError, match="line 2"):
        open_dataset(tree(["a.png", "b.png"], {"t.jsonl": rows}) / "t.jsonl")


def test_a_file_beside_pictures_that_is_too_deep_for_json_is_no_table(tree: Tree) -> None:
    names = [f"{c}/{i}.png" for c in "ab" for i in range(2)]
    assert open_dataset(tree(names, {"t.jsonl": "[" * 60_000})).format == "folder"


def test_labels_of_thousands_of_digits(tree: Tree) -> None:
    labels = ["9" * 5000, "1" * 5000, "7"]
    rows = text([(name, label) for name, label in zip(PICTURES, labels, strict=True)])
    assert open_dataset(tree(PICTURES, {"t.csv": rows})).classes[0] == "7"


def test_a_number_that_is_none_is_an_empty_cell(tmp_path: Path) -> None:
    rows = [{"path": "a.png", "label": "x", "group": math.nan}, {"path": "b.png", "label": math.nan}]
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    with pytest.raises(DataError, match="line 2"):
        open_dataset(tmp_path / "t.jsonl")
