"""Hugging Face's Parquet: `OUT/data/train-00000-of-00002.parquet` with `image`, `label` and, if known, `group`.

Several labels a picture are a list of indices in `labels`, numbers are in `value` or `value_NAME` instead of `label`.

`OUT/README.md` and the metadata of each file name the classes and the splits, so that `datasets.load_dataset(OUT)`
reads them. The layout is that of https://huggingface.co/docs/hub/datasets-image.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any  # Any: pyarrow has no types

from sightline.data.dataset import Dataset
from sightline.data.formats._common import few
from sightline.data.writers._samples import Sample, columns_lost, label_columns
from sightline.errors import DataError, MissingExtraError

SHARD_BYTES = 500 << 20  # Hugging Face's own
GROUP_ROWS, GROUP_BYTES = 100, 32 << 20  # Hugging Face's rows; what a reader holds for one picture
UNSPLIT = "pictures"
SPLITS = {"val": "validation"}  # others have the same name there


def lost(dataset: Dataset) -> dict[str, str]:
    if dataset.splits is not None and set(dataset.splits) == {"train"}:
        splits = {"splits": "a single split, train, is Hugging Face's name for data without splits"}
        return splits | columns_lost(dataset)
    return columns_lost(dataset)


def check(dataset: Dataset) -> None:
    for what, names in (("class", dataset.classes), ("group", sorted(set(dataset.groups or ())))):
        if bad := [repr(name) for name in names if not name.strip()]:
            raise DataError(f"{dataset.location}: Parquet cannot hold the {what} {few(bad)}; give it a name")


def write(dataset: Dataset, samples: Iterable[Sample], out: Path) -> list[str]:
    try:
        import pyarrow  # noqa: F401  said before anything is written
    except ImportError as error:
        raise MissingExtraError("writing Parquet", "pyarrow", "parquet") from error
    (out / "data").mkdir()
    shards: dict[str, _Shards] = {}
    try:
        for sample in samples:
            name = SPLITS.get(sample.split or UNSPLIT, sample.split or UNSPLIT)
            shards.setdefault(name, _Shards(out / "data", name, dataset)).add(sample)
        for each in shards.values():
            each.finish()
    finally:
        for each in shards.values():
            each.abandon()
    (out / "README.md").write_text(_card(dataset, list(shards)), encoding="utf-8")
    return []


class _Shards:
    """The files of one split: pictures are collected to row groups, row groups to files of SHARD_BYTES."""

    def __init__(self, folder: Path, split: str, dataset: Dataset) -> None:
        self.folder, self.split = folder, split
        self.schema = _schema(dataset)
        self.index = {name: k for k, name in enumerate(dataset.classes)}
        self.paths: list[Path] = []
        self._rows: list[Sample] = []
        self._group_bytes = self._file_bytes = 0
        self._file: IO[bytes] | None = None
        self._writer: Any = None

    def add(self, sample: Sample) -> None:
        self._rows.append(sample)
        self._group_bytes += len(sample.data)
        if len(self._rows) >= GROUP_ROWS or self._group_bytes >= GROUP_BYTES:
            self._flush()

    def finish(self) -> None:
        """The last row group, and the names, which say how many files there are."""
        if self._rows:
            self._flush()
        self._close()
        for i, path in enumerate(self.paths):
            path.rename(self.folder / f"{self.split}-{i:05d}-of-{len(self.paths):05d}.parquet")

    def abandon(self) -> None:
        """Lets go of a file that an error left open."""
        if self._file is not None:
            self._file.close()

    def _flush(self) -> None:
        import pyarrow
        from pyarrow import parquet

        if self._writer is None or self._file_bytes + self._group_bytes > SHARD_BYTES:
            self._close()
            self.paths.append(self.folder / f"{self.split}-{len(self.paths):05d}.parquet")
            self._file = self.paths[-1].open("wb")
            # Pictures are compressed already, and no two alike.
            plain = [name for name in self.schema.names if name != "image"]
            self._writer = parquet.ParquetWriter(self._file, self.schema, compression="none", use_dictionary=plain)
            self._file_bytes = 0
        columns = {
            "image": [{"bytes": s.data, "path": s.path if s.named else f"{s.row:09d}{s.suffix}"} for s in self._rows],
            "group": [s.group for s in self._rows],
            **self._labels(),
        }
        arrays = [pyarrow.array(columns[f.name], f.type) for f in self.schema]
        self._writer.write_table(pyarrow.Table.from_arrays(arrays, schema=self.schema), row_group_size=len(self._rows))
        self._file_bytes += self._group_bytes
        self._rows, self._group_bytes = [], 0

    def _labels(self) -> dict[str, list[Any]]:
        if self._rows[0].label is not None:
            return {"label": [s.label for s in self._rows]}
        found = {name: [s.several[name] for s in self._rows] for name in self._rows[0].several}
        return {name: [self._indices(value) for value in values] for name, values in found.items()}

    def _indices(self, value: list[str] | float) -> list[int] | float:
        return [self.index[name] for name in value] if isinstance(value, list) else value

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._file is not None:
            self._file.close()
        self._writer = self._file = None


def _schema(dataset: Dataset) -> Any:
    import pyarrow as pa

    fields = [("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())]))]
    features: dict[str, object] = {"image": {"_type": "Image"}}
    one_class = {"names": list(dataset.classes), "_type": "ClassLabel"}
    kinds: dict[str, tuple[Any, object]] = {
        "single": (pa.int64(), one_class),
        "multi": (pa.list_(pa.int64()), {"feature": one_class, "_type": "Sequence"}),
        "number": (pa.float64(), {"dtype": "float64", "_type": "Value"}),
    }
    for column in label_columns(dataset):
        kind, features[column] = kinds[dataset.task]
        fields.append((column, kind))
    if dataset.groups is not None:
        fields.append(("group", pa.string()))
        features["group"] = {"dtype": "string", "_type": "Value"}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema(fields, metadata=metadata)


def _card(dataset: Dataset, splits: list[str]) -> str:
    """YAML by hand: text in JSON's quotes is YAML."""
    lines = ["---", "configs:", "- config_name: default", "  data_files:"]
    for split in splits:
        lines += [f"  - split: {'train' if split == UNSPLIT else split}", f"    path: data/{split}-*"]
    lines += ["dataset_info:", "  features:", "  - name: image", "    dtype: image"]
    for column in label_columns(dataset):
        lines.append(f"  - name: {json.dumps(column)}")
        if dataset.task == "number":
            lines.append("    dtype: float64")
            continue
        lines += ["    dtype:" if dataset.task == "single" else "    sequence:", "      class_label:", "        names:"]
        lines += [f"          '{i}': {json.dumps(name)}" for i, name in enumerate(dataset.classes)]
    if dataset.groups is not None:
        lines += ["  - name: group", "    dtype: string"]
    return "\n".join([*lines, "---", "", f"{len(dataset):,} pictures {dataset.described()}.", ""])
