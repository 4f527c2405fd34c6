"""Hugging Face's image folders with metadata: `metadata.csv`, `.jsonl` or `.parquet` with `file_name,label`.

Comes in: a store with one such file, or one a split folder; goes out: a Dataset whose rows are theirs. Paths are
relative to the metadata file. As with Hugging Face, metadata come before class folders. The layout is that of
https://huggingface.co/docs/datasets/image_dataset. Must not open a picture.
"""

import dataclasses
import posixpath
from collections.abc import Sequence

from sightline.data.dataset import Dataset
from sightline.data.formats._common import count, few, is_picture, of_files, split_of
from sightline.data.formats._hugging_face import class_names_in_card, unless_only_train
from sightline.data.formats._table import Table, check_unique, header, read_table, splits_of
from sightline.data.formats.table import columns_beside, resolve_paths, unused_columns
from sightline.data.storage.names import Repeated
from sightline.data.storage.store import Store
from sightline.errors import DataError

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


def recognises(store: Store) -> int:
    """3 if a metadata file has the columns `file_name` and `label`."""
    return 3 if _labelled(store, _metadata(store.names())) else 0


def read(store: Store, entry: str | None) -> Dataset:
    """The rows of all metadata files as one. Raises DataError as a table does, with file and line."""
    names = store.names()
    metadata = _metadata(names)
    files = _labelled(store, metadata)
    tables = [read_table(store, name) for name in files]
    paths = [p for t, name in zip(tables, files, strict=True) for p in resolve_paths(t, posixpath.dirname(name))]
    _check_unique(store.location, tables, files, paths)
    written = [label for table in tables for label in table.columns["label"]]
    labels = _named(store, written)
    splits, split_notes = _splits(store.location, tables, files, paths)
    notes = (*split_notes, *_notes(tables, metadata, files, paths, names if entry is None else ()))
    found = of_files(store, "huggingface", paths, labels, splits, _groups(store.location, tables, files), notes)
    return dataclasses.replace(found, columns=_columns(tables))


def _metadata(names: Sequence[str]) -> list[str]:
    possible = (name for name in names if name.lower().endswith(METADATA))
    return [name for name in possible if posixpath.basename(name).lower() in METADATA]


def _labelled(store: Store, names: Sequence[str]) -> list[str]:
    return [name for name in names if {"file_name", "label"} <= {c.strip().lower() for c in header(store, name)}]


def _check_unique(location: str, tables: Sequence[Table], files: Sequence[str], paths: Sequence[str]) -> None:
    lines = [f"{name}, {line}" for table, name in zip(tables, files, strict=True) for line in table.lines]
    check_unique(location, paths, lines)


def _named(store: Store, written: Sequence[str]) -> Sequence[str]:
    """Labels as written; or, where the card names the classes and the labels are their indices, the names."""
    names = class_names_in_card(store, "label")
    if names is None or not all(label.isdecimal() for label in set(written)):
        return written
    beyond = sorted({label for label in written if int(label) >= len(names)}, key=int)
    if beyond:
        raise DataError(
            f"{store.location}: the labels {few(beyond, 20)} occur, but README.md names {len(names)} classes "
            f"(0 to {len(names) - 1}); correct either"
        )
    return [names[int(label)] for label in written]


def _splits(
    location: str, tables: Sequence[Table], files: Sequence[str], paths: Sequence[str]
) -> tuple[Sequence[str] | None, tuple[str, ...]]:
    """By a column `split`; else by the folders above the pictures, if all lie below folders named so."""
    columns = [splits_of(table) for table in tables]
    if all(column is not None for column in columns):
        return [split for column in columns for split in column or ()], ()
    if any(column is not None for column in columns):
        lacking = [name for name, column in zip(files, columns, strict=True) if column is None]
        raise DataError(f"{location}: {few(lacking)} has no column split, but others have; add it, or remove theirs")
    by_folder = {folder: split_of(f"{folder}/") for folder in {posixpath.dirname(path) for path in paths}}
    found = [by_folder[posixpath.dirname(path)] for path in paths]
    splits = [split for split in found if split]
    if not splits:
        return None, ()
    if len(splits) < len(found):
        outside = [path for path, split in zip(paths, found, strict=True) if not split]
        named = sorted({f for f in by_folder if by_folder[f]})
        return None, (f"{few(named)} not taken for a split: {count(outside, 'picture')} outside such folders",)
    return unless_only_train(splits)


def _groups(location: str, tables: Sequence[Table], files: Sequence[str]) -> Sequence[str] | None:
    lacking = [name for table, name in zip(tables, files, strict=True) if "group" not in table.columns]
    if not lacking:
        return [group for table in tables for group in table.columns["group"]]
    if len(lacking) < len(files):
        raise DataError(f"{location}: {few(lacking)} has no column group, but others have; add it, or remove theirs")
    return None


def _columns(tables: Sequence[Table]) -> dict[str, Repeated]:
    """The further columns that all tables have."""
    shared = [name for name in columns_beside(tables[0]) if all(name in columns_beside(table) for table in tables)]
    return {name: Repeated(cell for table in tables for cell in table.columns[name]) for name in shared}


def _notes(
    tables: Sequence[Table],
    metadata: Sequence[str],
    files: Sequence[str],
    paths: Sequence[str],
    names: Sequence[str],
) -> tuple[str, ...]:
    listed = set(paths)
    unlisted = [name for name in names if is_picture(name) and name not in listed]
    unlabelled = [name for name in metadata if name not in files]
    notes = list(dict.fromkeys(note for table in tables for note in unused_columns(table)))
    if unlabelled:
        notes.append(f"left aside {count(unlabelled, 'file')}: without the columns file_name and label")
    if unlisted:
        notes.append(f"left aside {count(unlisted, 'picture')}: not in the metadata")
    return tuple(notes)
