"""WebDataset shards: the same pictures and labels as a folder's; what is wrong with a shard is said, by member."""

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sightline.data import open_dataset
from sightline.data.dataset import Dataset
from sightline.data.formats._shard_names import common_folder, expand, split_of
from sightline.data.storage.tar import BlockReader, members
from sightline.errors import DataError

from .shards import (
    CLASSES,
    json_of,
    make_folders,
    make_shards,
    picture,
    samples,
    write_tar,
)

TWO = [("a.png", picture(0)), ("a.cls", b"0"), ("b.png", picture(1)), ("b.cls", b"1\n")]


def names(data: Dataset) -> list[str]:
    return [data.classes[k] for k in data.labels]


def same(one: Dataset, other: Dataset) -> bool:
    return names(one) == names(other) and all(
        np.array_equal(one.images.pixels(row), other.images.pixels(row)) for row in range(len(one))
    )


def test_shards_are_the_folder_they_were_made_from(tmp_path: Path) -> None:
    shards = open_dataset(make_shards(tmp_path / "shards"))
    folder = open_dataset(make_folders(tmp_path / "folder"))
    order = sorted(range(len(folder)), key=lambda row: folder.paths[row].rpartition("/")[2])
    assert shards.format == "webdataset" and shards.classes == folder.classes == CLASSES
    assert shards.paths[:10:9] == ["train-000.tar/00000.png", "train-001.tar/00009.png"]
    assert names(shards) == [folder.classes[folder.labels[row]] for row in order]
    for row, other in enumerate(order):
        assert np.array_equal(shards.images.pixels(row), folder.images.pixels(other))
    header, pixels = shards.images.read(3)
    assert shards.images.size(3) == (header.height, header.width) == pixels.shape[:2] == (24, 28)


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_kind_of_tar_and_long_names(format: int, tmp_path: Path) -> None:
    deep = "/".join(["a" * 60] * 4)
    members = [
        (f"{deep}/{key}.{what}", data) for key, data in (("é1", picture(0)), ("2", picture(1))) for what, data in
        (("png", data), ("cls", b"x" if key == "2" else b"y"))
    ]  # fmt: skip
    if format == tarfile.USTAR_FORMAT:
        members = [(name.replace("é", "e")[-150:].lstrip("/"), data) for name, data in members]
    data = open_dataset(write_tar(tmp_path / "s.tar", members, format))
    assert data.classes == ("x", "y") and names(data) == ["y", "x"]
    with tarfile.open(tmp_path / "s.tar") as archive:
        expected = [m.name for m in archive if m.name.endswith(".png")]
    assert data.paths == [f"s.tar/{name}" for name in expected]
    assert np.array_equal(data.images.pixels(1), open_dataset_pixels(picture(1)))


def open_dataset_pixels(data: bytes) -> np.ndarray:
    from sightline.data.decode import decode

    return decode(data)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        (("cls", b"1"), "1"),
        (("cls", b" cat\n"), "cat"),
        (("cls", b"007"), "007"),
        (("json", json_of(label=1)), "1"),
        (("json", json_of(label="cat", width=3)), "cat"),
        (("json", json_of(cls="1")), "1"),
        (("json", b'\xef\xbb\xbf{"class": "\\u00e9"}'), "é"),
    ],
)
def test_labels_in_all_their_forms(label: tuple[str, bytes], name: str, tmp_path: Path) -> None:
    shard = write_tar(tmp_path / "s.tar", [("k.jpg", picture(0)), (f"k.{label[0]}", label[1]), *TWO[:2]])
    assert names(open_dataset(shard)) == [name, "0"]


def test_several_labels_and_numbers_in_json(tmp_path: Path) -> None:
    """Indices and names as of one class; a label in .cls, or by `label`, comes first."""
    several = [[0, "cat"], [], ["2"], ["bee"]]
    shard = [m for i, v in enumerate(several) for m in ((f"{i}.png", picture(i)), (f"{i}.json", json_of(labels=v)))]
    write_tar(tmp_path / "w" / "0.tar", shard)
    (tmp_path / "w" / "classes.txt").write_text("ant\nbee\ncat\ndog\n")
    data = open_dataset(tmp_path / "w")
    assert data.classes == CLASSES and data.labels.tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert data.labels.dtype == np.uint8 and data.notes[0] == "several labels a picture: 'ant', 'bee', 'cat'"
    numbers = [json_of(value_b=1, value_a=2.5) if i else json_of(value_a=-1e-3, value_b=7) for i in range(2)]
    shard = [m for i, n in enumerate(numbers) for m in ((f"{i}.png", picture(i)), (f"{i}.json", n))]
    data = open_dataset(write_tar(tmp_path / "n.tar", shard))
    assert data.classes == ("a", "b") and data.labels.tolist() == [[-1e-3, 7], [2.5, 1]]
    shard = [*TWO, ("a.json", json_of(labels=["x"], value=3)), ("b.json", json_of(label=1, labels=["x"]))]
    assert names(open_dataset(write_tar(tmp_path / "one.tar", shard))) == ["0", "1"]


def test_groups_and_splits_from_json(tmp_path: Path) -> None:
    records = [("cat", "g1", "train"), ("dog", 2, "train"), ("cat", "g3", "Validation")]
    shard = []
    for i, (label, group, split) in enumerate(records):
        shard += [(f"{i}.png", picture(i)), (f"{i}.json", json_of(label=label, group=group, split=split))]
    data = open_dataset(write_tar(tmp_path / "w" / "s.tar", shard))
    assert data.groups == ["g1", "2", "g3"] and data.splits == ["train", "train", "val"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("classnames.txt", "ant\nbee\ncat\n"),
        ("classes.json", '["ant", "bee", "cat"]'),
        ("classes.json", '{"0": "ant", "1": "bee", "2": "cat"}'),
        ("classnames.json", '{"bee": 1, "ant": 0, "cat": 2}'),
    ],
)
@pytest.mark.parametrize("above", [False, True])
def test_class_names(file: str, text: str, above: bool, tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    write_tar(folder / "s.tar", samples(0, 6))
    (tmp_path / file if above else folder / file).write_text(text)
    data = open_dataset(folder)
    assert data.classes == CLASSES and data.notes == () and names(data) == [*CLASSES] * 2


def test_splits_from_names_and_from_folders(tmp_path: Path) -> None:
    make_shards(tmp_path, 2)
    make_shards(tmp_path, 1, split="imagenet1k-validation")
    data = open_dataset(tmp_path)
    assert data.splits is not None and {p[:5]: s for p, s in zip(data.paths, data.splits, strict=True)} == {
        "train": "train", "image": "val"
    }  # fmt: skip
    folders = tmp_path / "folders"
    write_tar(folders / "train" / "0.tar", samples(0, 6))
    write_tar(folders / "test" / "0.tar", samples(6, 6))
    assert open_dataset(folders).splits == ["test"] * 6 + ["train"] * 6
    assert open_dataset(f"{folders}/{{train,test}}/0.tar").splits == ["train"] * 6 + ["test"] * 6


def test_patterns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_shards(tmp_path / "w")
    make_shards(tmp_path / "w", 1, split="val")
    whole = open_dataset(tmp_path / "w")
    monkeypatch.chdir(tmp_path)
    for pattern in ("w/train-{000..003}.tar::w/val-000.tar", "w/train-*.tar::w/val-*.tar"):
        data = open_dataset(pattern)
        assert same(data, whole) and data.paths == whole.paths and data.splits == whole.splits
        assert same(open_dataset(data.source), whole) and os.path.isabs(data.source)
    some = open_dataset("w/train-{001,003}.tar")
    assert len(some) == 18 and some.splits is None and "therefore is not taken for a split" in some.notes[0]


def test_brace_patterns() -> None:
    assert expand("a{08..11}.tar") == ["a08.tar", "a09.tar", "a10.tar", "a11.tar"]
    assert expand("{9..10}") == ["9", "10"]
    assert expand("{x,y}-{0..1}") == ["x-0", "x-1", "y-0", "y-1"]
    assert expand("plain") == ["plain"]
    for bad in ("{0..", "{a{b,c}}", "{word}", "{3..1}", "{0..999999999999}", "{0..999}{0..999}"):
        with pytest.raises(DataError, match=r"brace|neither|runs|names"):
            expand(bad)


def test_split_words_and_folders() -> None:
    assert split_of("x/data-train-01.tar") == "train" and split_of("valid/01.tar") == "val"
    assert split_of("trains-01.tar") is None
    assert common_folder(["s3://b/x/train/0.tar", "s3://b/x/val/0.tar"]) == "s3://b/x"
    with pytest.raises(DataError, match=r"train-test.tar: its name says test and train"):
        split_of("train-test.tar")


def test_what_is_left_aside_is_counted(tmp_path: Path) -> None:
    shard = [*TWO, ("a.seg.png", picture(5)), ("a.txt", b"a caption"), ("b.txt", b"another"), ("README", b"")]
    write_tar(tmp_path / "w" / "0.tar", shard)
    (tmp_path / "w" / "notes.md").write_text("x")
    (tmp_path / "w" / "_info.json").write_text("{}")  # as `convert` and timm's tools write it
    (tmp_path / "w" / "classes.txt").write_text("u\nv\nw\n")
    data = open_dataset(tmp_path / "w")
    assert data.notes == (
        "left aside 1 file (notes.md): no shards (*.tar)",
        "left aside in the shards: 2 x txt, 1 x seg.png, 1 x without a dot",
        "1 class name (w) of classes.txt without a picture",
    )


def test_a_missing_end_mark_is_said(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "w.tar", TWO)
    end = open_dataset(path).images.offset[-1] + len(picture(1))  # type: ignore[attr-defined]
    path.write_bytes(path.read_bytes()[: -(-end // 512) * 512 + 1024])  # up to the end of the last label
    data = open_dataset(f"{path}::{write_tar(tmp_path / 'x.tar', samples(0, 3))}")
    assert len(data) == 5 and "1 shard (w.tar) without the end mark of a tar" in data.notes[0]


def cut(data: bytes) -> bytes:
    return data[:1500]


def flip_header(data: bytes) -> bytes:
    second = 512 + -(-len(picture(0)) // 512) * 512  # the header of a.cls
    return data[: second + 3] + b"X" + data[second + 4 :]


BAD: dict[str, tuple[list[tuple[str, bytes]], Callable[[bytes], bytes], str]] = {
    "truncated": (TWO, cut, r"w.tar: truncated: a.png needs bytes 512 to [\d,]+ of 1,500"),
    "header": (TWO, flip_header, r"w.tar: damaged at byte [\d,]+, after a.png: the checksum"),
    "not a tar": (TWO, lambda d: b"hello" * 300, r"w.tar: damaged at byte 0, its first: .* or it is no tar"),
    "empty": (TWO, lambda d: b"", "no samples in 1 shard"),
    "no label": (TWO[:3], bytes, r"w.tar: 1 picture \(b.png\) without a label"),
    "no picture": ([*TWO, ("c.cls", b"1")], bytes, r"w.tar: 1 label \(c.cls\) without a picture"),
    "key twice": ([*TWO, TWO[0]], bytes, r"w.tar: a.png occurs twice"),
    "two pictures": ([*TWO, ("a.jpg", picture(3))], bytes, r"w.tar: a has two pictures, a.png and a.jpg"),
    "empty label": ([*TWO, ("c.png", picture(3)), ("c.cls", b" \n")], bytes, "w.tar: c.cls: empty"),
    "binary label": ([*TWO, ("c.png", picture(3)), ("c.cls", b"\xff")], bytes, "w.tar: c.cls: not UTF-8"),
    "huge label": ([*TWO, ("c.cls", bytes(2_000_000))], bytes, "c.cls: 2,000,000 bytes; a label has at most"),
    "bad json": ([*TWO, ("c.json", b"{")], bytes, "w.tar: c.json: not JSON"),
    "deep json": ([*TWO, ("c.json", b"[" * 200_000)], bytes, "w.tar: c.json: not JSON"),
    "json list": ([*TWO, ("c.json", b"[1]")], bytes, "c.json: expected an object .* not list"),
    "json label": ([*TWO, ("c.json", json_of(label=[1, 2]))], bytes, r"c.json: label = '\[1, 2\]'"),
    "labels as text": ([("a.png", picture(0)), ("a.json", json_of(labels="x;y"))], bytes, r"a.json: labels = 'x;y'"),
    "labels in lists": ([("a.png", picture(0)), ("a.json", json_of(labels=[["x"]]))], bytes, r"labels = \"\['x'\]\""),
    "label twice": ([("a.png", picture(0)), ("a.json", json_of(labels=[3, "3"]))], bytes, "a.png: '3' twice in"),
    "no number": ([("a.png", picture(0)), ("a.json", b'{"value": NaN}')], bytes, "a.json: value = 'nan'; expected"),
    "a huge number": (
        [("a.png", picture(0)), ("a.json", b'{"value": 1' + b"0" * 400 + b"}")], bytes, "value = '10*'; expected a num",
    ),
    "other numbers": (
        [("a.png", picture(0)), ("a.json", json_of(value=1)), ("b.png", picture(1)), ("b.json", json_of(value_b=1))],
        bytes, "w.tar/b.png has the numbers b, others value",
    ),
    "numbers alike": (
        [("a.png", picture(0)), ("a.json", json_of(value=1, value_value=2))], bytes, "give the names value, value",
    ),
    "of two kinds": ([*TWO[:2], ("b.png", picture(1)), ("b.json", json_of(labels=[]))], bytes,
                     "w.tar/a.png has one class and w.tar/b.png several labels; label all alike"),
    "two labels": ([*TWO, ("b.json", json_of(label=2))], bytes, r"b.json: says class 2, the sample's .cls says 1"),
    "some groups": ([*TWO, ("b.json", json_of(group="g"))], bytes, r"1 sample \(w.tar/a.png\) without group"),
    "split": (
        [("a.png", picture(0)), ("a.json", json_of(label=1, split="trian"))], bytes, "a.png: unknown split 'trian'",
    ),
    "one class": (TWO[:2], bytes, "there is one class only"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_with_a_shard_is_an_error_that_names_it(case: str, tmp_path: Path) -> None:
    content, damage, message = BAD[case]
    path = write_tar(tmp_path / "w" / "w.tar", content)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=message):
        open_dataset(path.parent)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ant\nbee\n", "class 2, but classes.txt names 2, 0 to 1"),
        ("ant\nbee\nant\n", "the same name for two classes: ant"),
        ("ant\n\ncat\n", "an empty name"),
    ],
)
def test_class_names_that_do_not_fit(text: str, message: str, tmp_path: Path) -> None:
    write_tar(tmp_path / "w" / "0.tar", samples(0, 6))
    (tmp_path / "w" / "classes.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        open_dataset(tmp_path / "w")


def test_missing_shards_and_others_than_tars(tmp_path: Path) -> None:
    make_shards(tmp_path, 2)
    with pytest.raises(DataError, match=r"2 of 4 shards are not there: 2 files \(.*train-002.tar"):
        open_dataset(tmp_path / "train-{000..003}.tar")
    with pytest.raises(DataError, match="no file of such a name"):
        open_dataset(tmp_path / "tran-*.tar")
    (tmp_path / "x.tar.gz").write_bytes(b"")
    with pytest.raises(DataError, match=r"1 file \(x.tar.gz\) not called .tar"):
        open_dataset(f"{tmp_path}/x.tar.gz::{tmp_path}/train-000.tar")
    with pytest.raises(DataError, match="named more than once"):
        open_dataset(f"{tmp_path}/train-*.tar::{tmp_path}/train-000.tar")
    write_tar(tmp_path / "more.tar", samples(0, 3))
    with pytest.raises(DataError, match=r"train-000.tar says its split, but 1 shard \(more.tar\) not"):
        open_dataset(tmp_path)


def test_a_shard_that_shrinks_after_opening(tmp_path: Path) -> None:
    data = open_dataset(make_shards(tmp_path / "w"))
    with (tmp_path / "w" / "train-000.tar").open("r+b") as file:
        file.truncate(2000)
    with pytest.raises(DataError, match=r"train-000.tar: it was .* bytes or longer when it was opened"):
        data.images.pixels(8)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_tar(tmp_path_factory.mktemp("whole") / "w.tar", TWO, tarfile.PAX_FORMAT).read_bytes()


@settings(max_examples=150, deadline=None)
@given(place=st.integers(0, 6000), value=st.integers(0, 255), length=st.integers(0, 7000))
def test_any_damage_ends_in_members_or_in_an_error(whole: bytes, place: int, value: int, length: int) -> None:
    data = bytearray(whole)
    data[place % len(data)] = value
    data = data[:length] if length < 6500 else data
    try:
        found = list(members(BlockReader(lambda o, s: bytes(data[o : o + s]), len(data), 512), len(data), "w"))
    except DataError:
        return
    assert all(m.offset + m.size <= len(data) for m in found)


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=512, max_size=4096))
def test_noise_is_no_tar(data: bytes) -> None:
    assume(any(data[:512]))
    with pytest.raises(DataError):
        list(members(lambda o, s: data[o : o + s], len(data), "w"))


def test_a_label_with_a_lone_surrogate(tmp_path: Path) -> None:
    told = [("a.png", picture(0)), ("a.json", b'{"label": "\\ud800"}')]
    with pytest.raises(DataError, match=r"a.json: label = '\\ud800'; expected"):
        open_dataset(write_tar(tmp_path / "a.tar", told))


def test_a_pax_header_that_is_none(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", [("x" * 120 + ".png", picture(0)), *TWO], tarfile.PAX_FORMAT)
    path.write_bytes(path.read_bytes().replace(b" path=x", b"9path=x", 1))
    with pytest.raises(DataError, match=r"damaged at byte 0: a pax header that is none|not a readable archive"):
        open_dataset(tmp_path)
