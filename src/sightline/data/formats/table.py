"""Tables of pictures: CSV, TSV, JSON Lines or Parquet with the columns `path,label[,split,group]`.

Comes in: a store with a table at its root; goes out: a Dataset whose rows are the table's. Labels are text,
exactly as written (`00` stays `00`); `_labels` tells of tables with several labels a row, or numbers. Other columns
are kept, to measure by. Paths are relative to the table, or absolute. Must not open a picture: a file that is not
there is found when the pictures are checked, with all others that cannot be read.
"""

import os
import posixpath
from collections.abc import Iterator, Sequence
from pathlib import Path

from sightline.data.dataset import Dataset, FileImages
from sightline.data.formats._common import check_classes, count, few, is_picture
from sightline.data.formats._labels import RESERVED, label_columns, read_labels
from sightline.data.formats._table import EXTENSIONS, Table, check_unique, is_of_pictures, read_table, splits_of
from sightline.data.storage.named import RemoteStore
from sightline.data.storage.names import Names, Repeated
from sightline.data.storage.remote import is_url
from sightline.data.storage.store import FileStore, Store
from sightline.errors import DataError


def recognises(store: Store) -> int:
    """2 if a table with the right columns lies at the root."""
    return 2 if _candidates(store) else 0


def is_table(name: str) -> bool:
    return name.lower().endswith(EXTENSIONS)


def read(store: Store, entry: str | None) -> Dataset:
    """The rows of the table `entry`, or of the only table there is.

    Raises DataError for missing columns, empty or repeated cells, addresses on the web, and split names that do
    not exist.
    """
    name = entry or _only(store)
    table = read_table(store, name)
    folder = posixpath.dirname(name)
    paths = resolve_paths(table, folder)
    check_unique(table.where, paths, table.lines)
    labelled, splits = read_labels(table.where, table.columns, table.lines), splits_of(table)
    if labelled.columns == ("label",):
        check_classes(table.where, table.columns["label"], splits)
    return Dataset(
        location=table.where,
        format="table",
        images=FileImages(store, paths),
        paths=paths,
        labels=labelled.labels,
        classes=labelled.names,
        groups=Repeated(table.columns["group"]) if "group" in table.columns else None,
        splits=splits,
        notes=(
            *((labelled.note,) if labelled.note else ()),
            *unused_columns(table, labelled.columns),
            *_unlisted(paths, store.names() if entry is None else ()),
        ),
        columns={name: Repeated(table.columns[name]) for name in columns_beside(table, labelled.columns)},
    )


def listed_pictures(name: str) -> Iterator[tuple[str, str]]:
    """Of a table, here or on a server, that need not have labels: each path as written, and where the picture lies.

    Raises DataError as `read` does for the column `path`.
    """
    folder, _, base = name.replace(os.sep, "/").rpartition("/")
    store: Store = RemoteStore(folder) if is_url(name) else FileStore(Path(name))
    for path in read_table(store, base, is_labelled=False).columns["path"]:
        if is_url(path):
            yield path, path
        elif is_url(name):
            yield path, _resolve_url(folder, path)
        else:
            yield path, _resolve(folder or ("/" if name.startswith("/") else ""), path)


def resolve_paths(table: Table, folder: str) -> Names:
    """The column `path` as names in the store, relative to `folder`. Raises DataError for addresses on the web."""
    written = table.columns["path"]
    remote = [f"{line} ({path})" for path, line in zip(written, table.lines, strict=True) if is_url(path)]
    if remote:
        raise DataError(
            f"{table.where}: {few(remote)}: addresses on the web are not fetched; download the pictures and "
            "write their paths"
        )
    return Names(_resolve(folder, path) for path in written)


def columns_beside(table: Table, labels: Sequence[str] = ("label",)) -> list[str]:
    """The columns that are neither learned from nor say what to do with a row, but say something of each in plain text.

    Not those that would be read as labels were they written to a table of their own.
    """
    others = [name for name in table.columns if name and name not in (*RESERVED, *labels)]
    return [name for name in others if len(table.columns[name]) == len(table.lines) and not label_columns([name])]


def unused_columns(table: Table, labels: Sequence[str] = ("label",)) -> tuple[str, ...]:
    """Sentences on the columns beside path, split, group and those of the labels, if there are any."""
    used, kept = ("path", *labels, "split", "group"), columns_beside(table, labels)
    unused = [name for name in table.columns if name not in (*used, *kept)]
    notes = []
    if kept:
        notes.append(
            f"{count(kept, 'column')} beside {few(used, 20)}: not learned from; `evaluate --by` measures by them"
        )
    if unused:
        notes.append(f"left aside {count(unused, 'column')} of the table: only {few(used, 20)} are used")
    return tuple(notes)


def _candidates(store: Store) -> list[str]:
    names = [name for name in store.names() if "/" not in name and is_table(name)]
    return [name for name in names if is_of_pictures(store, name)]


def _only(store: Store) -> str:
    found = _candidates(store)
    if len(found) > 1:
        raise DataError(
            f"{store.location}: {len(found)} tables qualify: {few(found, 20)}. Give the one that is meant "
            "instead of the folder, or join them into one with a column `split`."
        )
    if not found:
        raise DataError(f"{store.location}: no table with the columns path,label")
    return found[0]


def _resolve(folder: str, path: str) -> str:
    """A path as written in the table -> a name in the store; `images\\a.png` is Windows' images/a.png."""
    if "/" not in path:
        path = path.replace("\\", "/")
    return posixpath.normpath(posixpath.join(folder, path))


def _resolve_url(folder: str, path: str) -> str:
    """The same of an address; object stores have no `..`."""
    scheme, _, place = folder.partition("://")
    return f"{scheme}://{_resolve(place, path.lstrip('/'))}"


def _unlisted(paths: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    listed = set(paths)
    unlisted = [name for name in names if is_picture(name) and name not in listed]
    return (f"left aside {count(unlisted, 'picture')}: not in the table",) if unlisted else ()
