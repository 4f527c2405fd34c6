"""One set of pictures, written in every format that is read. Comes in: an empty folder; goes out: a data set there.

The writing is done here by hand, from each format's specification, so that a reader is held to that and not to the
project's own writers. `MAKERS` has a function for each registered format.
"""

import csv
import io
import json
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image
from pyarrow import parquet

from sightline.data.dataset import Dataset
from sightline.data.reading.records import pixel_hash

CLASSES = ("2", "3", "10")  # in natural order; as text 10 comes first
SIDE = 32  # CIFAR's


@dataclass(frozen=True)
class Picture:
    """pixels: uint8 (32, 32, 3)."""

    pixels: NDArray[np.uint8]
    label: int
    split: str
    group: str

    @property
    def name(self) -> str:
        return CLASSES[self.label]

    @property
    def png(self) -> bytes:
        return encoded(self.pixels, "PNG")


def encoded(pixels: NDArray[np.uint8], kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def one_set() -> list[Picture]:
    """Eighteen pictures of three classes, twelve to train and six to test, in groups of two."""
    generator = np.random.default_rng(7)
    return [
        Picture(
            generator.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8),
            label=i % 3,
            split="train" if i < 12 else "test",
            group=f"pole {i // 2}",
        )
        for i in range(18)
    ]


Row = tuple[bytes, str, str | None]


def rows_of(dataset: Dataset) -> list[Row]:
    """What is known of each picture, whatever its file is called: pixels, class, split; sorted."""
    splits = dataset.splits or [None] * len(dataset)
    names = [dataset.classes[label] for label in dataset.labels]
    hashes = [pixel_hash(dataset.images.pixels(row)) for row in range(len(dataset))]
    return sorted(zip(hashes, names, splits, strict=True), key=repr)


def expected_rows(pictures: Sequence[Picture]) -> list[Row]:
    return sorted(((pixel_hash(p.pixels), p.name, p.split) for p in pictures), key=repr)


def write(path: Path, data: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def write_csv(path: Path, rows: Sequence[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def make_folder(pictures: Sequence[Picture], root: Path) -> None:
    for i, p in enumerate(pictures):
        write(root / p.split / p.name / f"{i}.png", p.png)


def make_table(pictures: Sequence[Picture], root: Path) -> None:
    for i, p in enumerate(pictures):
        write(root / f"all/{i}.png", p.png)
    rows = [(f"all/{i}.png", p.name, p.split, p.group) for i, p in enumerate(pictures)]
    write_csv(root / "signs.csv", [("path", "label", "split", "group"), *rows])


def make_huggingface(pictures: Sequence[Picture], root: Path) -> None:
    for split in ("train", "test"):
        rows: list[tuple[str, str, str]] = [("file_name", "label", "group")]
        for i, p in enumerate(pictures):
            if p.split == split:
                write(root / split / f"{i}.png", p.png)
                rows.append((f"{i}.png", p.name, p.group))
        write_csv(root / split / "metadata.csv", rows)


def parquet_table(pictures: Sequence[Picture], names: Sequence[str] | None = CLASSES, first: int = 0) -> pa.Table:
    """As `datasets` writes it: struct<bytes, path>, an index, and the features in the metadata."""
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {
        "image": pa.array([{"bytes": p.png, "path": f"{first + i}.png"} for i, p in enumerate(pictures)], image),
        "label": pa.array([p.label if names else p.name for p in pictures]),
        "group": pa.array([p.group for p in pictures]),
    }
    table = pa.table(columns)
    if names is None:
        return table
    features = {"image": {"_type": "Image"}, "label": {"names": list(names), "_type": "ClassLabel"}}
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def make_huggingface_parquet(pictures: Sequence[Picture], root: Path) -> None:
    (root / "data").mkdir(parents=True)
    train, test = ([p for p in pictures if p.split == split] for split in ("train", "test"))
    for i, part in enumerate((train[:7], train[7:])):
        table = parquet_table(part, first=7 * i)
        parquet.write_table(table, root / f"data/train-{i:05d}-of-00002.parquet", row_group_size=3)
    parquet.write_table(parquet_table(test, first=12), root / "data/test-00000-of-00001.parquet", row_group_size=3)


def coco_json(names: Sequence[str], labels: Sequence[Sequence[int]], first: int = 0) -> dict[str, object]:
    """One entry a picture; `labels`: the categories (1 to 3) of each one's objects."""
    return {
        "info": {"year": 2026},
        "images": [{"id": first + i, "file_name": name, "width": 9, "height": 9} for i, name in enumerate(names)],
        "annotations": [
            {"id": 100 * i + k, "image_id": first + i, "category_id": label, "bbox": [0, 0, 5, 5], "area": 25}
            for i, found in enumerate(labels)
            for k, label in enumerate(found)
        ],
        "categories": [{"id": i + 1, "name": name, "supercategory": "digit"} for i, name in enumerate(CLASSES)],
    }


def make_coco(pictures: Sequence[Picture], root: Path) -> None:
    for split in ("train", "test"):
        mine = [(f"{i:012d}.png", p) for i, p in enumerate(pictures) if p.split == split]
        for name, p in mine:
            write(root / f"{split}2017" / name, p.png)
        found = coco_json([name for name, _ in mine], [[p.label + 1] * 2 for _, p in mine])
        write(root / f"annotations/instances_{split}2017.json", json.dumps(found))


def voc_xml(file_name: str, names: Sequence[str]) -> str:
    objects = "".join(f"<object><name>{n}</name><bndbox><xmin>1</xmin></bndbox></object>" for n in names)
    return f"<annotation><folder>x</folder><filename>{file_name}</filename>{objects}</annotation>"


def make_voc(pictures: Sequence[Picture], root: Path) -> None:
    lists: dict[str, list[str]] = {"train": [], "test": []}
    for i, p in enumerate(pictures):
        write(root / f"JPEGImages/2007_{i}.png", p.png)
        write(root / f"Annotations/2007_{i}.xml", voc_xml(f"2007_{i}.png", [p.name] * 2))
        lists[p.split].append(f"2007_{i}")
    for split, stems in lists.items():
        write(root / f"ImageSets/Main/{split}.txt", "\n".join(stems) + "\n")


def make_npz(pictures: Sequence[Picture], root: Path) -> None:
    arrays: dict[str, NDArray[np.generic]] = {"class_names": np.array(CLASSES)}
    for split in ("train", "test"):
        mine = [p for p in pictures if p.split == split]
        arrays[f"{split}_images"] = np.stack([p.pixels for p in mine])
        arrays[f"{split}_labels"] = np.array([[p.label] for p in mine], np.uint8)
    root.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(root / "signs.npz", **arrays)


def make_idx(pictures: Sequence[Picture], root: Path) -> None:
    for split, prefix in (("train", "train"), ("test", "t10k")):
        mine = [p for p in pictures if p.split == split]
        images = np.stack([p.pixels for p in mine])
        sizes = b"".join(n.to_bytes(4, "big") for n in images.shape)
        write(root / f"{prefix}-images-idx4-ubyte", b"\0\0\x08\x04" + sizes + images.tobytes())
        labels = bytes(int(p.name) for p in mine)
        write(root / f"{prefix}-labels-idx1-ubyte", b"\0\0\x08\x01" + len(labels).to_bytes(4, "big") + labels)


def make_cifar(pictures: Sequence[Picture], root: Path) -> None:
    for split, name in (("train", "data_batch_1.bin"), ("test", "test_batch.bin")):
        mine = [p for p in pictures if p.split == split]
        write(root / name, b"".join(bytes([p.label]) + p.pixels.transpose(2, 0, 1).tobytes() for p in mine))
    write(root / "batches.meta.txt", "\n".join(CLASSES) + "\n")


def make_webdataset(pictures: Sequence[Picture], root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for split in ("train", "test"):
        with tarfile.open(root / f"{split}-000000.tar", "w") as tar:
            for i, p in enumerate(pictures):
                if p.split == split:
                    told = json.dumps({"group": p.group}).encode()
                    for suffix, data in (("png", p.png), ("cls", str(p.label).encode()), ("json", told)):
                        member = tarfile.TarInfo(f"{i:05d}.{suffix}")
                        member.size = len(data)
                        tar.addfile(member, io.BytesIO(data))
    write(root / "classnames.txt", "\n".join(CLASSES) + "\n")


MAKERS: dict[str, Callable[[Sequence[Picture], Path], None]] = {
    "cifar": make_cifar,
    "coco": make_coco,
    "folder": make_folder,
    "huggingface": make_huggingface,
    "huggingface_parquet": make_huggingface_parquet,
    "idx": make_idx,
    "npz": make_npz,
    "table": make_table,
    "voc": make_voc,
    "webdataset": make_webdataset,
}
WITH_GROUPS = ("huggingface", "huggingface_parquet", "table", "webdataset")
NOT_IN_ARCHIVES = ("webdataset",)  # shards are archives themselves
