"""Parquet with pictures inside: what is read, lazily, and from threads."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from sightline.data import open_dataset
from sightline.data.decode import PictureError
from sightline.data.formats import _parquet_images
from sightline.errors import DataError

from .making import CLASSES, Picture, encoded, one_set, parquet_table

Tree = Callable[..., Path]


def save(root: Path, name: str, table: pa.Table, rows: int = 4) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path, row_group_size=rows)
    return path


def with_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


def test_one_file_by_itself(tmp_path: Path) -> None:
    pictures = one_set()
    path = save(tmp_path, "train-00000-of-00001.parquet", parquet_table(pictures))
    data = open_dataset(path)
    assert data.format == "huggingface_parquet" and data.classes == CLASSES
    assert data.splits is None and any("the only split is train" in note for note in data.notes)
    assert data.paths[:2] == ["0.png", "1.png"] and list(data.groups or ()) == [p.group for p in pictures]
    for row in (17, 0, 9, 3, 17):
        assert data.images.encoded(row) == pictures[row].png
        np.testing.assert_array_equal(data.images.pixels(row), pictures[row].pixels)
    assert data.images.size(5) == (32, 32) and data.images.read(5)[0].format == "PNG"


@pytest.mark.parametrize("kind", ["text", "large text", "dictionary", "numbers", "binary"])
def test_labels_and_pictures_of_several_types(kind: str, tmp_path: Path) -> None:
    pictures = one_set()
    names = pa.array([p.name for p in pictures])
    table = parquet_table(pictures, None)
    if kind == "large text":
        table = with_column(table, "label", names.cast(pa.large_string()))
    if kind == "dictionary":
        table = with_column(table, "label", names.dictionary_encode())
    if kind == "numbers":
        table = with_column(table, "label", pa.array([int(p.name) for p in pictures], pa.int16()))
    if kind == "binary":
        table = with_column(table, "image", pa.array([p.png for p in pictures], pa.large_binary()))
    save(tmp_path, "data/pictures.parquet", table)
    data = open_dataset(tmp_path)
    assert data.classes == CLASSES and data.labels.tolist() == [p.label for p in pictures] and data.splits is None
    np.testing.assert_array_equal(data.images.pixels(7), pictures[7].pixels)
    assert data.paths[7] == ("data/pictures.parquet[7]" if kind == "binary" else "7.png")


@pytest.mark.parametrize("kind", ["Sequence", "List", "bare", "card", "text"])
def test_several_labels_in_each_way_that_datasets_wrote_them(kind: str, tmp_path: Path) -> None:
    lists = [[0, 2], [], None, *[[1]] * 15]
    column = pa.array(lists, pa.list_(pa.int64()))
    if kind == "text":
        column = pa.array([None if names is None else [CLASSES[k] for k in names] for names in lists])
    table = with_column(parquet_table(one_set(), None), "label", column).rename_columns(["image", "labels", "group"])
    one_class = {"names": list(CLASSES), "_type": "ClassLabel"}
    feature: object = [one_class] if kind == "bare" else {"feature": one_class, "_type": kind}
    if kind in ("Sequence", "List", "bare"):
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": {"labels": feature}}})})
    save(tmp_path, "data/pictures.parquet", table)
    if kind == "card":
        names = "".join(f"          '{i}': '{name}'\n" for i, name in enumerate(CLASSES))
        head = "---\ndataset_info:\n- features:\n  - name: labels\n    list:\n      class_label:\n        names:\n"
        (tmp_path / "README.md").write_text(f"{head}{names}---\n")
    data = open_dataset(tmp_path)
    assert data.classes == CLASSES and data.labels[:3].tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert data.notes == ("several labels a picture: '2', '3', '10'", "left aside 1 of 18 rows: without a label")


def test_numbers(tmp_path: Path) -> None:
    table = parquet_table(one_set(), None).drop_columns(["label"])
    table = table.append_column("value_b", pa.array([None, *range(17)], pa.int32()))
    table = table.append_column("value_a", pa.array([None, *[0.1] * 17], pa.float32()))
    save(tmp_path, "data/pictures.parquet", table)
    data = open_dataset(tmp_path)
    assert data.classes == ("b", "a") and data.labels[1].tolist() == [1.0, float(np.float32(0.1))]
    assert len(data) == 17 and data.paths[0] == "1.png"


def test_the_card_names_the_classes(tmp_path: Path) -> None:
    table = parquet_table(one_set()).replace_schema_metadata(None)
    save(tmp_path, "data/pictures.parquet", table)
    names = "".join(f"          '{i}': {name}\n" for i, name in enumerate(("x", "y", "a")))
    head = "---\ndataset_info:\n- features:\n  - name: label\n    dtype:\n      class_label:\n        names:\n"
    (tmp_path / "README.md").write_text(f"{head}{names}---\n")
    data = open_dataset(tmp_path)
    assert data.classes == ("a", "x", "y") and data.labels[:3].tolist() == [1, 2, 0] and data.notes == ()


def test_rows_without_a_label_and_classes_without_a_picture(tmp_path: Path) -> None:
    pictures = one_set()
    labels = [-1, None, *([p.label if p.label < 2 else 0 for p in pictures][2:])]
    table = with_column(parquet_table(pictures), "label", pa.array(labels, pa.int64()))
    save(tmp_path, "x.parquet", table)
    data = open_dataset(tmp_path)
    assert len(data) == 16 and data.classes == ("2", "3")
    assert data.notes == (
        "left aside 1 class (10): declared, without a picture",
        "left aside 2 of 18 rows: without a label",
    )
    np.testing.assert_array_equal(data.images.pixels(0), pictures[2].pixels)


def test_a_file_of_no_split_among_others_is_left_aside(tmp_path: Path) -> None:
    for name in ("train", "test", "extra"):
        save(tmp_path, f"data/{name}-00000-of-00001.parquet", parquet_table(one_set()))
    data = open_dataset(tmp_path)
    assert len(data) == 36 and set(data.splits or ()) == {"train", "test"}
    assert data.notes == ("left aside 1 file (data/extra-00000-of-00001.parquet): no split by name",)
    assert data.paths[0] == "data/test-00000-of-00001.parquet[0]", "0.png is the name of two pictures"


def broken(table: pa.Table) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        save(root, "a.parquet", table)

    return make


def labelled(*values: object) -> Callable[[Path], None]:
    """The set with these labels, the last of them repeated."""
    return broken(with_column(SET, "label", pa.array([*values, *[values[-1]] * (18 - len(values))])))


def several(*lists: list[int | None]) -> Callable[[Path], None]:
    column = pa.array([*lists, *[[0]] * (18 - len(lists))])
    table = with_column(SET, "label", column).rename_columns(["image", "labels", "group"])
    metadata = SET.schema.metadata[b"huggingface"].replace(b'"label":', b'"labels":')
    return broken(table.replace_schema_metadata({"huggingface": metadata}))


def numbers(values: list[object]) -> Callable[[Path], None]:
    return broken(with_column(SET, "label", pa.array(values)).rename_columns(["image", "value_x", "group"]))


def two(first: pa.Table, second: pa.Table) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        save(root, "data/train-00000-of-00002.parquet", first)
        save(root, "data/train-00001-of-00002.parquet", second)

    return make


SET = parquet_table(one_set())
BAD_FEATURES = SET.replace_schema_metadata({"huggingface": '{"info": 3}'})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (labelled(7), r"a.parquet, row 1: label 7, but there are names for 0 to 2"),
        (labelled(0.5), "labels of type double; expected text or whole numbers"),
        (labelled([1, 2]), r"labels of type list.*one label a picture; call a column of lists labels"),
        (several([0, 3]), "a.parquet, row 1: label 3, but there are names for 0 to 2"),
        (several([0], [1, None]), "a.parquet, row 2: 'None' among the labels"),
        (several([0], [1, 1]), "1.png: '3' twice in"),
        (numbers([1.0] * 17 + [float("nan")]), "a.parquet, row 18: value_x = 'nan'; expected a number"),
        (numbers(["1"] * 18), "a.parquet, row 1: value_x = '1'; expected a number"),
        (labelled("a", "b", "", "b"), r"a.parquet, row 3: an empty label"),
        (labelled(-1), "no row has a label in the column label"),
        (broken(with_column(SET, "group", pa.array(["g", None, *["h"] * 16]))), "empty group in row 2"),
        (broken(SET.rename_columns(["image", "kind", "group"])), "which column is the label. Found image, kind, group"),
        (broken(SET.append_column("mask", SET.column("image")).rename_columns(["a", "label", "group", "b"])),
         "several columns hold pictures: a, b; keep one, or call it image"),
        (broken(BAD_FEATURES), "its metadata `huggingface` cannot be understood"),
        (two(SET, SET.drop_columns(["group"])), "train-00001-of-00002.parquet: columns image, label; others .* group"),
        (two(SET, parquet_table(one_set(), ["3", "2", "10"])), "train-00001-of-00002.parquet: other class names"),
        (two(SET.replace_schema_metadata(None), parquet_table(one_set(), None)),
         "text in some files and numbers in others"),
    ],
)  # fmt: skip
def test_errors_say_where(make: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(DataError, match=message):
        open_dataset(tmp_path)


def test_paths_that_are_bytes_are_no_names(tmp_path: Path) -> None:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.binary())])
    column = pa.array([{"bytes": p.png, "path": b"x"} for p in one_set()], kind)
    save(tmp_path, "a.parquet", with_column(SET, "image", column))
    assert open_dataset(tmp_path).paths[3] == "a.parquet[3]"


def test_several_configurations(tmp_path: Path) -> None:
    for name in ("large/train/0.parquet", "small/train/0.parquet"):
        save(tmp_path, name, SET)
    with pytest.raises(DataError, match="several data sets: large, small; give the folder"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("kept", [10, 0.5, -1])
def test_a_truncated_file(kept: float, tmp_path: Path) -> None:
    path = save(tmp_path, "data/train-00000-of-00001.parquet", SET)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data)) if isinstance(kept, float) else kept])
    with pytest.raises(DataError, match=r"train-00000-of-00001.parquet: not a readable Parquet file"):
        open_dataset(tmp_path)


def test_damage_inside_and_absent_bytes_are_the_pictures_own(tmp_path: Path) -> None:
    pictures = one_set()
    column = [{"bytes": p.png, "path": "x"} for p in pictures]
    column[1] = {"bytes": None, "path": "far/away.png"}
    table = with_column(SET, "image", pa.array(column, SET.schema.field("image").type))
    path = tmp_path / "a.parquet"
    parquet.write_table(table, path, row_group_size=6, compression="zstd")
    raw = bytearray(path.read_bytes())
    column_chunk = parquet.ParquetFile(path).metadata.row_group(2).column(0)
    assert column_chunk.path_in_schema == "image.bytes"
    for i in range(column_chunk.data_page_offset, column_chunk.data_page_offset + 400):
        raw[i] ^= 0x55
    path.write_bytes(raw)
    images = open_dataset(path).images
    with pytest.raises(PictureError, match=r"no bytes in the Parquet file, at most a path"):
        images.pixels(1)
    with pytest.raises(PictureError, match=r"damaged in a.parquet, row group 2"):
        images.pixels(12)
    np.testing.assert_array_equal(images.pixels(11), pictures[11].pixels)


@pytest.mark.parametrize("limit", [1, 1 << 30], ids=["unpacked to a file", "held in memory"])
def test_any_order_from_many_threads(limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_parquet_images, "MAX_GROUP_BYTES", limit)
    monkeypatch.setattr(_parquet_images, "CACHE_BYTES", 3000)  # less than two row groups
    monkeypatch.setattr(_parquet_images, "NUM_OPEN", 1)
    pictures = one_set()
    for i in range(3):
        save(tmp_path, f"part-{i}.parquet", parquet_table(pictures[6 * i : 6 * i + 6]), rows=2)
    images = open_dataset(tmp_path).images
    order = np.random.default_rng(0).integers(0, 18, 400).tolist()
    gate = threading.Barrier(8)

    def read(rows: list[int]) -> list[bytes | None]:
        gate.wait()
        return [images.encoded(row) for row in rows]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(read, [order[i::8] for i in range(8)]))
    assert found == [[pictures[row].png for row in order[i::8]] for i in range(8)]


def test_an_epoch_decodes_each_row_group_about_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = one_set() * 20
    save(tmp_path, "a.parquet", parquet_table(pictures), rows=10)
    size = 10 * len(pictures[0].png)
    monkeypatch.setattr(_parquet_images, "CACHE_BYTES", 8 * size)
    monkeypatch.setattr(_parquet_images, "WINDOW_BYTES", 3 * size)
    data, decoded = open_dataset(tmp_path), []
    held = _parquet_images._held
    monkeypatch.setattr(_parquet_images, "_held", lambda *args: decoded.append(args[1]) or held(*args))
    rows = np.arange(len(data))
    order = data.order(0, 1, rows, (0, 1))
    assert sorted(order.tolist()) == rows.tolist() and not np.array_equal(order, data.order(0, 2, rows, (0, 1)))
    assert len(set((order[:20] // 10).tolist())) > 2, "the first pictures come from several row groups"
    for row in order.tolist():
        assert data.images.encoded(row) == pictures[row].png
    assert len(decoded) <= 1.5 * 36 and set(decoded) == set(range(36))


def noise(num: int, side: int) -> list[Picture]:
    generator = np.random.default_rng(0)
    return [Picture(generator.integers(0, 256, (side, side, 3), np.uint8), i % 2, "train", "g") for i in range(num)]


def test_memory_stays_flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 160 MB of pictures, in one row group or in small ones, no more is held than is allowed."""
    monkeypatch.setattr(_parquet_images, "CACHE_BYTES", 40 << 20)
    block = noise(8, 512)
    data = [encoded(p.pixels, "BMP") for p in block]  # 786 kB each
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([("image", kind), ("label", pa.int64())])
    for name, rows in (("large", 208), ("small", 8)):
        with parquet.ParquetWriter(
            tmp_path / f"{name}.parquet", schema, use_dictionary=False, compression="none"
        ) as out:
            for _ in range(208 // rows):
                image = pa.array([{"bytes": data[i % 8], "path": None} for i in range(rows)], kind)
                out.write_table(pa.table({"image": image, "label": [i % 2 for i in range(rows)]}, schema=schema), rows)
    del image
    pa.default_memory_pool().release_unused()
    for name in ("large", "small"):
        monitored = open_dataset(tmp_path / f"{name}.parquet").images
        base = pa.total_allocated_bytes()
        peak = 0
        for row in np.random.default_rng(1).permutation(208)[:60].tolist():
            assert monitored.encoded(row) == data[row % 8]
            peak = max(peak, pa.total_allocated_bytes() - base)
        # One row group more is decoded before another goes.
        assert peak < (40 << 20) + 10e6, f"{name}: {peak / 1e6:.0f} MB"


def test_without_pyarrow_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from sightline.errors import MissingExtraError

    save(tmp_path, "data/train-00000-of-00001.parquet", SET)
    for module in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"reading Parquet needs the package pyarrow"):
        open_dataset(tmp_path)


def test_features_are_json(tmp_path: Path) -> None:
    features = json.dumps({"info": {"features": {"label": {"_type": "Value", "dtype": "int64"}, "image": {}}}})
    save(tmp_path, "a.parquet", SET.replace_schema_metadata({"huggingface": features}))
    assert open_dataset(tmp_path).classes == ("0", "1", "2")


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    table = parquet_table(one_set()[:6], names=None)
    path = save(tmp_path, "a.parquet", table)
    data = path.read_bytes()
    assert b"0.png" in data
    path.write_bytes(data.replace(b"0.png", b"\xff.png"))
    with pytest.raises(DataError, match=r"a\.parquet: not a readable Parquet file"):
        open_dataset(path)
