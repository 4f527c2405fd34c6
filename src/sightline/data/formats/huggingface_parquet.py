"""Hugging Face's Parquet: pictures and labels inside `data/train-00000-of-00002.parquet` and its like.

Comes in: a store with such files, or one of them; goes out: a Dataset. A column holds `struct<bytes, path>` (or, if
it is called `image`, plain bytes), another the label: an index of the classes that the file's metadata `huggingface` or
README.md name, a number, or text; `labels` a list of such, several a picture; or, where there is neither, `value` or
`value_NAME` numbers; `group` where there is one. Splits by file names. The layout is that of
https://huggingface.co/docs/hub/datasets-image. Only labels are read here, pictures when asked: see `_parquet_images`.
"""

import posixpath
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any  # Any: pyarrow has no types

import numpy as np

from sightline.data.dataset import Dataset
from sightline.data.formats._common import SHARD, SPLIT_WORDS, count, few, split_of
from sightline.data.formats._held_labels import Held, encode, value_names
from sightline.data.formats._hugging_face import (
    CARD,
    class_names_in_card,
    class_names_in_features,
    unless_only_train,
)
from sightline.data.formats._parquet_images import ParquetFile, ParquetImages
from sightline.data.formats._parquet_labels import Label, named, read_labels
from sightline.data.formats._table import parquet_errors, parquet_file
from sightline.data.storage.store import Store
from sightline.errors import DataError, MissingExtraError

FEATURES = b"huggingface"  # the key of a Parquet file's metadata
IMAGES = ("image", "img")  # by preference, where several columns hold pictures
LABELS = ("label", "labels", "fine_label")  # by preference


@dataclass(frozen=True)
class _Schema:
    """What must be the same in all files. `image`: the leaf with the bytes; `names`: those of label's classes.

    labels  the column, or those of the numbers
    """

    image: str
    path: str | None
    labels: tuple[str, ...]
    group: str | None
    names: list[str] | None
    unused: tuple[str, ...]


@dataclass
class _Columns:
    """What is read of all rows of a file; None: no label."""

    file: ParquetFile
    labels: list[Label | None]
    groups: list[str | None] = field(default_factory=list)
    paths: list[str | None] = field(default_factory=list)


def recognises(store: Store) -> int:
    """3 if the first Parquet file has a column of encoded pictures."""
    names = _parquets(store)
    if not names:
        return 0
    try:
        return 3 if _image_columns(_arrow_schema(store, names[0])) else 0
    except MissingExtraError:
        return 3 if SHARD.fullmatch(posixpath.basename(names[0])) else 0  # so that reading it says what to install
    except DataError:
        return 3 if SHARD.fullmatch(posixpath.basename(names[0])) else 0  # ... what is wrong with it


def read(store: Store, entry: str | None) -> Dataset:
    """All rows of all files as one. Raises DataError with the file, and the row where there is one."""
    files, splits, notes = _files(store)
    schema = _schema(store, files[0])
    columns = [_read_columns(store, name, schema) for name in files]
    kept = [row for row, label in enumerate(label for c in columns for label in c.labels) if label is not None]
    if not kept:
        raise DataError(f"{store.location}: no row has a label in the column {', '.join(schema.labels)}")
    written = _label_names(store.location, columns, schema.names)
    row_splits = [split for c, split in zip(columns, splits, strict=True) for _ in c.labels]
    given = None if None in splits else [str(row_splits[row]) for row in kept]
    given_splits, split_notes = unless_only_train(given)
    paths = _paths(columns, kept)
    labels, classes, label_notes = encode(store.location, written, paths, given_splits)
    notes += label_notes
    empty = (
        [name for name in schema.names or () if name not in classes] if len(classes) < len(schema.names or ()) else []
    )
    if empty:
        notes.append(f"left aside {count(empty, 'class')}: declared, without a picture")
    num_rows = len(row_splits)
    if len(kept) < num_rows:
        notes.append(f"left aside {num_rows - len(kept):,} of {num_rows:,} rows: without a label")
    if schema.unused:
        notes.append(f"left aside {count(schema.unused, 'column')}")
    return Dataset(
        location=store.location,
        format="huggingface_parquet",
        images=ParquetImages(store, [c.file for c in columns], schema.image, np.array(kept, np.int64)),
        paths=paths,
        labels=labels,
        classes=classes,
        groups=_groups(store.location, columns, kept) if schema.group else None,
        splits=given_splits,
        notes=(*notes, *split_notes),
    )


def _parquets(store: Store) -> list[str]:
    return [name for name in store.names() if name.lower().endswith(".parquet")]


def _files(store: Store) -> tuple[list[str], list[str | None], list[str]]:
    """The files of the data set, the split of each, and notes on what is left aside.

    Raises DataError where the files are several data sets, which Hugging Face calls configurations.
    """
    names = _parquets(store)
    roots: dict[str, list[str]] = {}
    for name in names:
        roots.setdefault(_configuration(name), []).append(name)
    if len(roots) > 1:
        raise DataError(
            f"{store.location}: several data sets: {few([root or 'the top' for root in roots], 20)}; "
            "give the folder of the one that is meant"
        )
    splits = {name: split_of(name) for name in names}
    named = [name for name in names if splits[name]]
    notes = []
    others = [name for name in store.names() if name not in splits and name != CARD]
    if others:
        notes.append(f"left aside {count(others, 'file')}: not Parquet")
    if named and len(named) < len(names):
        notes.append(f"left aside {count([n for n in names if not splits[n]], 'file')}: no split by name")
        names = named
    return names, [splits[name] for name in names], notes


def _configuration(name: str) -> str:
    """The folders above a file, less those that say the split."""
    folders = name.split("/")[:-1]
    return "/".join(folder for folder in folders if folder.lower() not in SPLIT_WORDS)


def _arrow_schema(store: Store, name: str) -> Any:
    try:
        opened = store.open(name)
    except OSError as error:
        raise DataError(f"{store.location}/{name}: {error.strerror or error}") from error
    with closing(opened) as file:
        return parquet_file(file, f"{store.location}/{name}").schema_arrow


def _image_columns(schema: Any) -> dict[str, tuple[str, str | None]]:
    """Column -> the leaves with its bytes and its path. Plain bytes may be anything, so there the name decides."""
    from pyarrow import types

    found: dict[str, tuple[str, str | None]] = {}
    for column in schema:
        if types.is_struct(column.type):
            leaves = {leaf.name: leaf.type for leaf in column.type}
            if "bytes" in leaves and (types.is_binary(leaves["bytes"]) or types.is_large_binary(leaves["bytes"])):
                found[column.name] = (f"{column.name}.bytes", f"{column.name}.path" if "path" in leaves else None)
        elif column.name in IMAGES and (types.is_binary(column.type) or types.is_large_binary(column.type)):
            found[column.name] = (column.name, None)
    return found


def _schema(store: Store, name: str) -> _Schema:
    """Which columns are used. Raises DataError where that is not plain."""
    where = f"{store.location}/{name}"
    arrow = _arrow_schema(store, name)
    images = _image_columns(arrow)
    usual = [name for name in IMAGES if name in images]
    if len(images) > 1 and usual:
        images = {usual[0]: images[usual[0]]}
    if len(images) != 1:
        found = f"several columns hold pictures: {few(list(images), 20)}; keep one, or call it image"
        raise DataError(f"{where}: {found if images else 'no column of pictures: ' + few(arrow.names, 20)}")
    ((image, (bytes_leaf, path_leaf)),) = images.items()
    text = (arrow.metadata or {}).get(FEATURES)
    class_labels = class_names_in_features(text, where) if text else {}
    labels = _label_columns(where, arrow.names, class_labels)
    group = "group" if "group" in arrow.names else None
    return _Schema(
        image=bytes_leaf,
        path=path_leaf,
        labels=labels,
        group=group,
        names=class_labels.get(labels[0]) or class_names_in_card(store, labels[0]),
        unused=tuple(column for column in arrow.names if column not in (image, *labels, group)),
    )


def _label_columns(where: str, columns: Sequence[str], class_labels: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The one with the label or the labels, or all with numbers."""
    found = next((name for name in LABELS if name in columns), None)
    if found is not None:
        return (found,)
    if values := value_names(columns, where):
        return tuple(values)
    if len(class_labels) == 1:
        return tuple(class_labels)
    raise DataError(
        f"{where}: which column is the label? Found {few(columns, 20)}; rename the one that is meant to label"
    )


def _read_columns(store: Store, name: str, schema: _Schema) -> _Columns:
    """Labels, groups and paths of one file, no pictures."""
    where = f"{store.location}/{name}"
    wanted = [c for c in (*schema.labels, schema.group, schema.path) if c]
    try:
        opened = store.open(name)
    except OSError as error:
        raise DataError(f"{where}: {error.strerror or error}") from error
    with closing(opened) as file:
        parquet = parquet_file(file, where)
        arrow = parquet.schema_arrow
        lacking = [
            c for c in (*schema.labels, schema.group, schema.image.partition(".")[0]) if c and c not in arrow.names
        ]
        if lacking or schema.image not in (leaf for leaf, _ in _image_columns(arrow).values()):
            raise DataError(
                f"{where}: columns {few(arrow.names, 20)}; others of this data set have {schema.image}, "
                f"{', '.join(schema.labels)}{', ' + schema.group if schema.group else ''}"
            )
        own = class_names_in_features(arrow.metadata[FEATURES], where) if FEATURES in (arrow.metadata or {}) else {}
        if own.get(schema.labels[0], schema.names) != schema.names:
            raise DataError(
                f"{where}: other class names, or in another order, than the first file has; write them alike"
            )
        with parquet_errors(where):
            table = parquet.read(columns=wanted)
            groups = range(parquet.metadata.num_row_groups)
            metadata = [parquet.metadata.row_group(group) for group in groups]
    file_rows = tuple(g.num_rows for g in metadata)
    if min(file_rows, default=0) < 0 or sum(file_rows) != table.num_rows:
        raise DataError(
            f"{where}: damaged: {table.num_rows:,} rows, but its row groups say {sum(file_rows):,}; fetch it again"
        )
    with parquet_errors(where):  # text that is not UTF-8 is found when it is read
        return _Columns(
            file=ParquetFile(name, file_rows, tuple(g.total_byte_size for g in metadata)),
            labels=read_labels(table, schema.labels, where, schema.names),
            groups=[None if v is None else str(v) for v in table.column(schema.group).to_pylist()]
            if schema.group
            else [],
            paths=_leaf_paths(table, schema),
        )


def _leaf_paths(table: Any, schema: _Schema) -> list[str | None]:
    if schema.path is None:
        return []
    column = table.column(schema.path.rpartition(".")[0])
    found = (path for chunk in column.chunks for path in chunk.flatten()[0].to_pylist())
    return [path if isinstance(path, str) else None for path in found]  # a column of bytes says no names


def _label_names(location: str, columns: Sequence[_Columns], names: Sequence[str] | None) -> list[Held]:
    """What each row says that has a label, by names."""
    found = [label for c in columns for label in c.labels if label is not None]
    kinds = {type(one) for label in found for one in (label if isinstance(label, list) else [label])}
    if len(kinds & {str, int}) > 1:
        raise DataError(f"{location}: labels are text in some files and numbers in others; write them alike")
    return [named(label, names) for label in found]


def _groups(location: str, columns: Sequence[_Columns], kept: Sequence[int]) -> list[str]:
    groups = [group for c in columns for group in c.groups]
    empty = [str(row + 1) for row in kept if not (groups[row] or "").strip()]
    if empty:
        raise DataError(f"{location}: empty group in row {few(empty)}, counted over all files; fill it in")
    return [str(groups[row]) for row in kept]


def _paths(columns: Sequence[_Columns], kept: Sequence[int]) -> list[str]:
    """The paths that the pictures had, if all have one and no two the same; else `file.parquet[17]`."""
    written = [path for c in columns for path in c.paths]
    if written:
        paths = [path for row in kept if (path := written[row])]
        if len(set(paths)) == len(kept):
            return paths
    places = [f"{c.file.name}[{i}]" for c in columns for i in range(len(c.labels))]
    return [places[row] for row in kept]
