"""Converting: what is kept, what is said, and that nothing half-written ever has the name of the whole."""

import csv
import dataclasses
import errno
import json
import multiprocessing
import os
import shutil
import signal
import tarfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

from sightline.data import open_dataset
from sightline.data.convert import WRITERS, convert
from sightline.data.dataset import Dataset
from sightline.data.writers import parquet as parquet_writer
from sightline.data.writers import webdataset as webdataset_writer
from sightline.data.writers._names import why_unsafe
from sightline.data.writers._samples import Sample
from sightline.errors import BadPicturesError, ConfigError, DataError

from .making import CLASSES, MAKERS, encoded, make_folder, make_npz, make_table, one_set, rows_of

Tree = Callable[..., Path]
HOLD_ANY_NAME = ["parquet", "table", "webdataset"]


def names_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("to", WRITERS.names())
def test_encoded_pictures_are_the_same_bytes(to: str, tmp_path: Path) -> None:
    """Each of another kind, the second turned by EXIF, the third with 16 bits, the fourth damaged: none is touched."""
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.random.default_rng(0).integers(0, 255, (9, 12, 3), dtype=np.uint8)
    files = {
        "a/1.jpg": encoded(pixels, "JPEG", quality=60),
        "a/2.JPEG": encoded(pixels, "JPEG", exif=exif),
        "b/3.png": encoded(pixels[:, :, 0].astype(np.uint16) * 200),
        "b/4.webp": encoded(pixels, "WEBP")[:40],
        "b/5.gif": encoded(pixels[:, :, 0], "GIF"),
    }
    for name, data in files.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(data)
    convert(tmp_path / "in", tmp_path / "out", to)
    after = open_dataset(tmp_path / "out")
    found = {(after.classes[after.labels[row]], after.images.encoded(row)) for row in range(5)}
    assert found == {(name[0], data) for name, data in files.items()}


@pytest.mark.parametrize("to", WRITERS.names())
def test_the_same_data_give_the_same_bytes(to: str, tmp_path: Path) -> None:
    make_table(one_set(), tmp_path / "in")
    for out in ("one", "two"):
        convert(tmp_path / "in", tmp_path / out, to)
    assert names_in(tmp_path / "one") == names_in(tmp_path / "two")
    for name in names_in(tmp_path / "one"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_folder_and_back_is_the_same_folder(tmp_path: Path) -> None:
    make_folder(one_set(), tmp_path / "in")
    convert(tmp_path / "in", tmp_path / "table", "table")
    convert(tmp_path / "table", tmp_path / "out", "folder")
    assert names_in(tmp_path / "out") == names_in(tmp_path / "in")


def test_arrays_become_png_by_their_number(tmp_path: Path) -> None:
    make_npz(one_set(), tmp_path / "in")
    done = convert(tmp_path / "in", tmp_path / "out", "folder")
    assert done.notes == ("18 arrays are written as PNG, which is lossless",)
    assert names_in(tmp_path / "out")[:2] == ["test/10/000000014.png", "test/10/000000017.png"]


def test_what_was_left_aside_is_said_here_too(tmp_path: Path) -> None:
    make_folder(one_set(), tmp_path / "in")
    (tmp_path / "in/notes.txt").write_text("x")
    done = convert(tmp_path / "in", tmp_path / "out", "folder")
    assert done.notes == ("left aside 1 file (notes.txt): not pictures by their extension",)


# Names


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("cat", None), ("été 7", None), ("a.b", None), ("con1", None), ("日本", None),
        ("", "empty"), ("a/b", "contains '/'"), ("a:b", "contains ':'"), ("a\tb", r"contains '\\t'"),
        ("CON", "device"), ("nul.png", "device"), ("Com1", "device"), ("lpt¹.x", "device"),
        ("a.", "full stop"), ("a ", "blank"), (" a", "blank"), (".hidden", "hidden"), ("Thumbs.db", "hidden"),
        ("é" * 101, "longer than 200 bytes"),
    ],
)  # fmt: skip
def test_names_that_some_system_does_not_take(name: str, reason: str | None) -> None:
    found = why_unsafe(name)
    assert (found is None) if reason is None else (found is not None and reason.replace("\\\\", "\\") in found)


def table_of(root: Path, rows: list[tuple[str, str]]) -> Path:
    root.mkdir()
    for i, (path, _) in enumerate(rows):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 3), (i, 0, 0)).save(root / path, "PNG")
    with (root / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label"), *rows])
    return root


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (("a/b", "c"), "the class 'a/b' cannot be a folder's name: it contains '/'"),
        (("nul", "c"), "the class 'nul' cannot be a folder's name: Windows keeps it for a device"),
        (("Cat", "cat"), "the classes 'Cat' and 'cat' are the same folder on some systems"),
        (("café", "cafe\u0301"), "are the same folder on some systems"),
        (("train", "test"), "the classes test, train would be taken for splits as folders"),
        ((".x", "c"), "passed over as a hidden file"),
    ],
)
def test_classes_that_cannot_be_folders(classes: tuple[str, str], message: str, tmp_path: Path) -> None:
    root = table_of(tmp_path / "in", [("1.png", classes[0]), ("2.png", classes[1])])
    with pytest.raises(DataError, match=message):
        convert(root, tmp_path / "out", "folder")
    assert os.listdir(tmp_path) == ["in"]
    for to in HOLD_ANY_NAME:
        assert set(open_dataset(convert(root, tmp_path / to, to).out).classes) == set(classes)


def test_classes_that_are_numbers_out_of_order(tmp_path: Path) -> None:
    """The index in WebDataset's `.cls` is 0 and 1, the names are 3 and 7."""
    root = table_of(tmp_path / "in", [("1.png", "7"), ("2.png", "3")])
    for to in WRITERS.names():
        assert open_dataset(convert(root, tmp_path / to, to).out).classes == ("3", "7")


@pytest.mark.parametrize("name", ["a\nb", " a"])
def test_classes_that_are_no_line_of_text(name: str, tmp_path: Path) -> None:
    root = table_of(tmp_path / "in", [("1.png", name), ("2.png", "c")])
    with pytest.raises(DataError, match=r"cannot be a line of classnames.txt; rename it"):
        convert(root, tmp_path / "out", "webdataset")
    for to in ("table", "parquet"):
        assert name in open_dataset(convert(root, tmp_path / to, to).out).classes


def test_file_names_that_clash_or_are_unfit_are_recorded(tmp_path: Path) -> None:
    rows = [
        ("x/1.png", "a"),
        ("y/1.png", "a"),
        ("y/1.PNG", "a"),
        ("y/1-2.png", "a"),
        ("q:r.png", "b"),
        ("z/1.png", "b"),
    ]
    root = table_of(tmp_path / "in", rows)
    done = convert(root, tmp_path / "out", "folder")
    with (tmp_path / "out/names.csv").open(newline="") as file:
        recorded = list(csv.reader(file))
    assert recorded == [
        ["written", "original"],
        ["a/1-2.png", "y/1.png"],
        ["a/1-3.PNG", "y/1.PNG"],
        ["a/1-2-2.png", "y/1-2.png"],
        ["b/000000004.png", "q:r.png"],
    ]
    assert names_in(tmp_path / "out") == [
        "a/1-2-2.png",
        "a/1-2.png",
        "a/1-3.PNG",
        "a/1.png",
        "b/000000004.png",
        "b/1.png",
        "names.csv",
    ]
    assert done.notes == (
        "4 pictures have another file name than before, which was taken or not fit for every system: see names.csv",
    )
    original = {row[0]: row[1] for row in recorded}
    for name in ("a/1-2.png", "b/000000004.png"):
        assert (tmp_path / "out" / name).read_bytes() == (root / original[name]).read_bytes()


def test_a_table_keeps_folders_and_numbers_what_points_outside(tmp_path: Path) -> None:
    root = table_of(tmp_path / "in", [("deep/er/1.png", "a"), ("../far.png", "b")])
    convert(root, tmp_path / "out", "table")
    assert names_in(tmp_path / "out") == ["pictures/0000/far.png", "pictures/deep/er/1.png", "table.csv"]


def test_pictures_without_a_name_get_one_by_their_content(tmp_path: Path) -> None:
    root = table_of(tmp_path / "in", [("one", "a"), ("two.dat", "b")])
    done = convert(root, tmp_path / "out", "folder")
    assert sorted(open_dataset(done.out).paths) == ["a/000000000.png", "b/000000001.png"]
    (root / "one").write_bytes(b"no picture")
    with pytest.raises(BadPicturesError, match="one: not a picture"):
        convert(root, tmp_path / "again", "folder")


# Shards


def test_shards_and_row_groups_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = one_set()
    make_table(pictures, tmp_path / "in")
    size = len(pictures[0].png)
    monkeypatch.setattr(webdataset_writer, "SHARD_BYTES", 5 * size)
    monkeypatch.setattr(parquet_writer, "SHARD_BYTES", 5 * size)
    monkeypatch.setattr(parquet_writer, "GROUP_ROWS", 2)
    convert(tmp_path / "in", tmp_path / "wds", "webdataset")
    convert(tmp_path / "in", tmp_path / "parquet", "parquet")
    assert names_in(tmp_path / "wds") == [
        "_info.json",
        "classnames.txt",
        *(f"test-{i:06d}.tar" for i in range(2)),
        *(f"train-{i:06d}.tar" for i in range(3)),
    ]
    assert names_in(tmp_path / "parquet") == [
        "README.md",
        *(f"data/test-{i:05d}-of-00002.parquet" for i in range(2)),
        *(f"data/train-{i:05d}-of-00003.parquet" for i in range(3)),
    ]
    metadata = parquet.ParquetFile(tmp_path / "parquet/data/train-00000-of-00003.parquet").metadata
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [2, 2]
    info = json.loads((tmp_path / "wds/_info.json").read_text())["splits"]["train"]
    assert info["num_samples"] == 12 and info["filenames"] == [f"train-{i:06d}.tar" for i in range(3)]
    lengths = []
    for name in info["filenames"]:
        with tarfile.open(tmp_path / "wds" / name) as tar:
            members = tar.getnames()
            assert [m.partition(".")[2] for m in members[:3]] == ["png", "cls", "json"]
            lengths.append(len(members) // 3)
    assert info["shard_lengths"] == lengths and sum(lengths) == 12


def test_hugging_face_has_no_single_split_train(tmp_path: Path) -> None:
    make_folder([p for p in one_set() if p.split == "train"], tmp_path / "in")
    assert set(open_dataset(tmp_path / "in").splits or ()) == {"train"}
    done = convert(tmp_path / "in", tmp_path / "out", "parquet")
    assert (
        open_dataset(done.out).splits is None and "the splits are not written: a single split, train" in done.notes[0]
    )
    for to in ("folder", "table", "webdataset"):
        assert set(open_dataset(convert(tmp_path / "in", tmp_path / to, to).out).splits or ()) == {"train"}


# Refusals and interruptions


def test_refusals(tmp_path: Path, tree: Tree) -> None:
    root = tmp_path / "in"
    make_folder(one_set(), root)
    (tmp_path / "there").write_text("x")
    with pytest.raises(DataError, match=r"there exists; give the name of a new folder"):
        convert(root, tmp_path / "there", "table")
    with pytest.raises(DataError, match=r"out lies inside .*in, which would change it"):
        convert(root, root / "sub/out", "table")
    with pytest.raises(ConfigError, match=r"unknown target 'webdatset'. Did you mean webdataset"):
        convert(root, tmp_path / "out", "webdatset")
    with pytest.raises(DataError, match="no such file or folder"):
        convert(tmp_path / "nothing", tmp_path / "out", "table")
    assert sorted(os.listdir(tmp_path)) == ["in", "there"]


def test_files_that_are_not_there_are_all_listed(tmp_path: Path) -> None:
    root = table_of(tmp_path / "in", [("1.png", "a"), ("2.png", "b"), ("3.png", "b"), ("4.png", "a")])
    (root / "2.png").unlink()
    (root / "4.png").unlink()
    with pytest.raises(BadPicturesError) as caught:
        convert(root, tmp_path / "out", "parquet")
    assert caught.value.bad == {"2.png": "no such file", "4.png": "no such file"}
    assert os.listdir(tmp_path) == ["in"]


@pytest.mark.parametrize("to", WRITERS.names())
def test_what_reads_back_different_is_not_kept(to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_table(one_set(), tmp_path / "in")
    write = WRITERS.get(to).write

    changes: dict[str, Callable[[Sample], Sample]] = {
        "bytes": lambda s: dataclasses.replace(s, data=one_set()[0].png),
        "label": lambda s: dataclasses.replace(s, label=1 - s.label % 2, cells=(CLASSES[1 - s.label % 2],)),
        "split": lambda s: dataclasses.replace(s, split="test"),
        "group": lambda s: dataclasses.replace(s, group="other"),
    }
    for what, change in changes.items():
        if (to, what) != ("folder", "group"):
            monkeypatch.setattr(WRITERS.get(to), "write", careless(write, change))
            with pytest.raises(DataError, match=r"reads back different: 1 picture \(all/5.png\); nothing was kept"):
                convert(tmp_path / "in", tmp_path / "out", to)
            assert os.listdir(tmp_path) == ["in"], what


def careless(write: Callable[..., list[str]], change: Callable[[Sample], Sample]) -> Callable[..., list[str]]:
    """A writer that changes the sixth picture."""

    def spoil(dataset: Dataset, samples: Iterable[Sample], out: Path) -> list[str]:
        return write(dataset, (change(s) if s.row == 5 else s for s in samples), out)

    return spoil


@pytest.mark.parametrize("to", WRITERS.names())
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_or_ctrl_c_leaves_nothing(error: BaseException, to: str, tmp_path: Path) -> None:
    make_table(one_set(), tmp_path / "in")

    def stop(samples: Iterable[Sample], total: int, what: str) -> Iterable[Sample]:
        for sample in samples:
            if sample.row == 9:
                raise error
            yield sample

    with pytest.raises(type(error)):
        convert(tmp_path / "in", tmp_path / "out", to, stop)
    assert os.listdir(tmp_path) == ["in"]


def _slowly(source: Path, out: Path, to: str) -> None:
    def slow(samples: Iterable[Sample], total: int, what: str) -> Iterable[Sample]:
        for sample in samples:
            time.sleep(0.2)
            yield sample

    convert(source, out, to, slow)


@pytest.mark.parametrize("to", WRITERS.names())
def test_killed_midway_nothing_has_the_name(to: str, tmp_path: Path) -> None:
    make_table(one_set(), tmp_path / "in")
    process = multiprocessing.get_context("spawn").Process(target=_slowly, args=(tmp_path / "in", tmp_path / "out", to))
    process.start()
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".out.*.part/**/*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    (left,) = [name for name in os.listdir(tmp_path) if name != "in"]
    assert left.startswith(".out.") and left.endswith(".part")
    done = convert(tmp_path / "in", tmp_path / "out", to)
    assert f"left over from conversions that were killed, to be deleted: {left}" in done.notes
    assert rows_of(open_dataset(done.out)) == rows_of(open_dataset(tmp_path / "in"))


def test_every_format_has_its_way_back() -> None:
    assert set(WRITERS.names()) == {"folder", "table", "webdataset", "parquet"}
    assert {"folder", "table", "webdataset", "huggingface_parquet"} <= set(MAKERS)


def test_traffic_signs_keep_their_groups(shared: Path, tmp_path: Path) -> None:
    before = open_dataset(shared / "data/traffic_signs.zip")
    assert before.groups is not None
    for to in HOLD_ANY_NAME:
        after = open_dataset(convert(shared / "data/traffic_signs.zip", tmp_path / to, to).out)
        assert after.groups is not None and after.classes == before.classes
        assert sorted(zip(after.groups, after.labels.tolist(), strict=True)) == sorted(
            zip(before.groups, before.labels.tolist(), strict=True)
        )


TABLES = {
    "several": "path,labels,split\n0.png,b;a,train\n1.png,,train\n2.png,a,test\n",
    "columns": "path,10,9,group\n0.png,1,1,x\n1.png,0,0,y\n2.png,1,0,y\n",
    "with separators": 'path,labels\n0.png,"[""a;b"", ""c""]"\n1.png,"[""c""]"\n2.png,[]\n',
    "numbers": "path,value_age,value_size\n0.png,1.5,-3e-07\n1.png,0.1,12345678.123456789\n2.png,7,0\n",
    "a number": "path,value\n0.png,1\n1.png,2.25\n2.png,3\n",
}


@pytest.mark.parametrize("to", HOLD_ANY_NAME)
@pytest.mark.parametrize("kind", TABLES)
def test_several_labels_and_numbers_read_back_equal(kind: str, to: str, tmp_path: Path) -> None:
    source = labelled_by(TABLES[kind], tmp_path)
    before = open_dataset(source)
    after = open_dataset(convert(source, tmp_path / "out", to).out)
    assert after.task == before.task and sorted(after.classes) == sorted(before.classes)
    rows = [0, 1, 2] if after.splits is None else np.argsort([str(split) != "train" for split in after.splits])
    order = [before.classes.index(name) for name in after.classes]
    assert np.array_equal(after.labels[rows], before.labels[:, order])
    for of_after, of_before in ((after.splits, before.splits), (after.groups, before.groups)):
        assert [of_after[row] for row in rows] == list(of_before) if of_before else of_after is None
    with pytest.raises(DataError, match="class folders cannot hold; convert it --to table, webdataset or parquet"):
        convert(source, tmp_path / "folders", "folder")
    assert not (tmp_path / "folders").exists()


def labelled_by(table: str, tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    for i in range(3):
        Image.new("L", (4, 5), 80 * i).save(source / f"{i}.png")
    (source / "table.csv").write_text(table)
    return source


def test_what_other_programs_find_of_several_labels_and_numbers(tmp_path: Path) -> None:
    """The layouts that webdataset's users and `datasets` know: fields of the JSON; lists of ClassLabel, and floats."""
    source = labelled_by(TABLES["several"], tmp_path)
    convert(source, tmp_path / "wds", "webdataset")
    assert names_in(tmp_path / "wds") == ["_info.json", "test-000000.tar", "train-000000.tar"]
    with tarfile.open(tmp_path / "wds/train-000000.tar") as tar:
        assert tar.getnames() == ["000000000.png", "000000000.json", "000000001.png", "000000001.json"]
        found = json.loads((tar.extractfile("000000000.json") or tar).read())
    assert found == {"path": "0.png", "labels": ["a", "b"], "split": "train"}
    convert(source, tmp_path / "parquet", "parquet")
    table = parquet.read_table(tmp_path / "parquet/data/train-00000-of-00001.parquet")
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features["labels"] == {"feature": {"names": ["a", "b"], "_type": "ClassLabel"}, "_type": "Sequence"}
    assert table["labels"].to_pylist() == [[0, 1], []]
    shutil.rmtree(source)
    convert(labelled_by(TABLES["numbers"], tmp_path), tmp_path / "numbers", "parquet")
    table = parquet.read_table(tmp_path / "numbers/data/pictures-00000-of-00001.parquet")
    assert table["value_size"].to_pylist() == [-3e-07, 12345678.123456789, 0.0] and "label" not in table.column_names


@pytest.mark.parametrize("to", HOLD_ANY_NAME)
def test_several_labels_that_read_back_different_are_not_kept(
    to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = labelled_by(TABLES["several"], tmp_path)
    write = WRITERS.get(to).write

    def spoil(dataset: Dataset, samples: Iterable[Sample], out: Path) -> list[str]:
        changed = ({"labels": ["b"]}, ("b",))
        new = (dataclasses.replace(s, several=changed[0], cells=changed[1]) if s.row == 2 else s for s in samples)
        return write(dataset, new, out)

    monkeypatch.setattr(WRITERS.get(to), "write", spoil)
    with pytest.raises(DataError, match=r"reads back different: 1 picture \(2.png\); nothing was kept"):
        convert(source, tmp_path / "out", to)
