"""Tables of pictures: CSV, TSV or Parquet with the columns `path,label[,split,group]`.

Comes in: a store with a table at its root; goes out: a Dataset whose rows are the table's. Labels are text,
exactly as written (`00` stays `00`); `_labels` tells of tables with several labels a row, or numbers. Paths are
relative to the table. Must not open a picture: a file that is not there is found when the pictures are checked,
with all others that cannot be read.
"""

import csv
import io
import json
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from sightline.data.dataset import SPLIT_NAMES, Dataset, FileImages
from sightline.data.formats._common import check_classes, count, few, is_picture
from sightline.data.formats._labels import RESERVED, has_indicators, label_columns, read_labels
from sightline.data.store import Store
from sightline.errors import DataError, MissingExtraError, nearest

EXTENSIONS = (".csv", ".tsv", ".parquet")
COLUMNS = ("path", "label", "labels", "value", "split", "group")
FILLED = ("path", "label", "split", "group")  # an empty cell of `labels` says that nothing was found
NUM_PEEKED = 100  # rows of a Parquet file that tell whether it is a table of 0 and 1
ALIASES = {"file_name": "path"}  # Hugging Face's metadata.csv
SYNONYMS = {"path": ("file", "filename", "image", "picture"), "label": ("class", "category", "target")}
HEAD_BYTES = 65536  # enough to hold any header


@dataclass(frozen=True)
class _Table:
    """`columns` by name, as text; `lines` says where each row stands, in words: `line 17`."""

    where: str
    columns: dict[str, Sequence[str]]
    lines: Sequence[str]


def recognises(store: Store) -> int:
    """2 if a table with the right columns lies at the root."""
    return 2 if _candidates(store) else 0


def is_table(name: str) -> bool:
    return name.lower().endswith(EXTENSIONS)


def read(store: Store, entry: str | None) -> Dataset:
    """The rows of the table `entry`, or of the only table there is.

    Raises DataError for missing columns, empty or repeated cells, and split names that do not exist.
    """
    name = entry or _only(store)
    table = _read_table(store, name)
    _check_columns(table)
    _check_filled(table)
    folder = posixpath.dirname(name)
    paths = [_resolve(folder, path) for path in table.columns["path"]]
    _check_unique(table, paths)
    labelled, splits = read_labels(table.where, table.columns, table.lines), _splits(table)
    if labelled.columns == ("label",):
        check_classes(table.where, table.columns["label"], splits)
    return Dataset(
        location=table.where,
        format="table",
        images=FileImages(store, paths),
        paths=paths,
        labels=labelled.labels,
        classes=labelled.names,
        groups=table.columns.get("group"),
        splits=splits,
        notes=(
            *((labelled.note,) if labelled.note else ()),
            *_notes(table, labelled.columns, paths, store.names() if entry is None else ()),
        ),
    )


def _candidates(store: Store) -> list[str]:
    names = [name for name in store.names() if "/" not in name and is_table(name)]
    return [name for name in names if _is_of_pictures(store, name)]


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


def _is_of_pictures(store: Store, name: str) -> bool:
    """Whether a file has paths and labels in its first lines; False if it cannot be read."""
    try:
        data = store.read(name)
        header, rows = _peek_parquet(data, name) if name.lower().endswith(".parquet") else _peek_text(data)
    except MissingExtraError:
        return True  # so that reading it says what to install
    except (OSError, csv.Error, DataError):
        return False
    return "path" in header and (bool(label_columns(header)) or has_indicators(header, rows))


def _peek_text(data: bytes) -> tuple[list[str], list[list[str]]]:
    """The columns, and the rows that are whole in the first bytes."""
    text = data[:HEAD_BYTES].decode("utf-8-sig", "replace")
    whole = text if len(data) <= HEAD_BYTES else text[: text.rfind("\n") + 1]
    rows = [row for row in csv.reader(io.StringIO(whole or text), delimiter=_delimiter(text)) if row]
    return ([_column(c) for c in rows[0]], rows[1:]) if rows else ([], [])


def _peek_parquet(data: bytes, name: str) -> tuple[list[str], list[list[str]]]:
    file = _parquet(data, name)
    header = [_column(c) for c in file.schema_arrow.names]
    if "path" not in header or label_columns(header):
        return header, []
    batch = next(file.iter_batches(NUM_PEEKED), None)
    columns = [] if batch is None else [map(str, column.to_pylist()) for column in batch.columns]
    return header, [list(row) for row in zip(*columns, strict=True)]


def _column(name: str) -> str:
    """A column's name: in small letters where it means something, else as written, for it may name a class."""
    plain = name.strip().lower()
    if plain.startswith("value_"):
        return "value_" + name.strip()[len("value_") :]
    return ALIASES.get(plain, plain if plain in COLUMNS else name.strip())


def _read_table(store: Store, name: str) -> _Table:
    where = f"{store.location}/{name}"
    try:
        data = store.read(name)
    except OSError as error:
        raise DataError(f"{where}: {error.strerror or error}") from error
    return _read_parquet(data, where) if name.lower().endswith(".parquet") else _read_text(data, where)


def _read_text(data: bytes, where: str) -> _Table:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{where}, line {line}: not UTF-8; save the table as UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    rows: list[list[str]] = []
    lines: list[str] = []
    try:
        for row in reader:
            if row and rows and len(row) != len(rows[0]):
                raise DataError(f"{where}, line {reader.line_num}: {len(row)} fields instead of {len(rows[0])}: {row}")
            if row:  # blank lines say nothing
                rows.append(row)
                lines.append(f"line {reader.line_num}")
    except csv.Error as error:
        raise DataError(f"{where}, line {reader.line_num}: {error}") from error
    if len(rows) < 2:
        raise DataError(f"{where}: the table has no rows")
    return _Table(where, _by_name(where, rows[0], list(zip(*rows[1:], strict=True))), lines[1:])


def _delimiter(text: str) -> str:
    """Comma, semicolon or tab: whichever the first line has most of."""
    first = next(iter(text[:HEAD_BYTES].splitlines()), "")
    return max(",;\t", key=first.count)


def _read_parquet(data: bytes, where: str) -> _Table:
    table = _parquet(data, where).read()
    if not table.num_rows:
        raise DataError(f"{where}: the table has no rows")
    header = [_column(name) for name in table.column_names]
    used = {*RESERVED, *(label_columns(header) or header)}
    wanted = [i for i, name in enumerate(header) if name in used and "binary" not in str(table.schema.types[i])]
    texts = {i: [_cell(value) for value in table.column(i).to_pylist()] for i in wanted}
    # Columns that are not used, pictures perhaps, are named but not turned into text.
    columns: list[Sequence[str]] = [texts.get(i, ()) for i in range(table.num_columns)]
    lines = [f"row {row}" for row in range(1, table.num_rows + 1)]
    return _Table(where, _by_name(where, table.column_names, columns), lines)


def _cell(value: object) -> str:
    """A Parquet value as a text table would write it."""
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return "" if value is None else str(value)


def _parquet(data: bytes, where: str):  # type: ignore[no-untyped-def]  # pyarrow has no types
    """The pyarrow.parquet.ParquetFile in `data`."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise MissingExtraError("reading Parquet", "pyarrow", "parquet") from error
    try:
        return parquet.ParquetFile(io.BytesIO(data))
    except (ArrowException, OSError) as error:
        raise DataError(f"{where}: not a readable Parquet file: {error}") from error


def _by_name(where: str, header: Sequence[str], columns: Sequence[Sequence[str]]) -> dict[str, Sequence[str]]:
    names = [_column(name) for name in header]
    for name in COLUMNS if label_columns(names) else dict.fromkeys(names):
        if names.count(name) > 1:
            raise DataError(f"{where}: the column {name} occurs {names.count(name)} times")
    return dict(zip(names, columns, strict=True))


def _check_columns(table: _Table) -> None:
    others = [name for name in table.columns if name not in RESERVED]
    is_labelled = bool(label_columns(others)) or _could_be_indicators(table, others)
    for name, is_there in (("path", "path" in table.columns), ("label", is_labelled)):
        if not is_there:
            raise DataError(
                f"{table.where}: no column {name!r}; found {', '.join(table.columns)}. "
                "A table of pictures has the columns path,label (labels: for several a picture; value: for a number) "
                "and, if wanted, split and group." + _similar(name, table)
            )


def _could_be_indicators(table: _Table, others: Sequence[str]) -> bool:
    """Whether some of the columns hold nothing but 0 and 1: then those that do not are told of one by one."""
    good = [name for name in others if has_indicators(("path", name, name), [("", c, c) for c in table.columns[name]])]
    return len(others) >= 2 and len(good) >= 2


def _similar(name: str, table: _Table) -> str:
    """A sentence that names the columns which may have been meant, if any."""
    import difflib

    words = (name, *SYNONYMS[name])
    unknown = [column for column in table.columns if column not in COLUMNS]
    close = [column for column in unknown if difflib.get_close_matches(column.lower(), words)]
    return f" Perhaps rename {' or '.join(close)} to {name}." if close else ""


def _check_filled(table: _Table) -> None:
    for name in FILLED:
        column = table.columns.get(name, ())
        empty = [line for line, value in zip(table.lines, column, strict=False) if not value.strip()]
        if empty:
            raise DataError(f"{table.where}: empty {name} on {few(empty, 20)}; fill it in or remove the row")


def _resolve(folder: str, path: str) -> str:
    """A path as written in the table -> a name in the store; `images\\a.png` is Windows' images/a.png."""
    if "/" not in path:
        path = path.replace("\\", "/")
    return posixpath.normpath(posixpath.join(folder, path))


def _check_unique(table: _Table, paths: Sequence[str]) -> None:
    rows: dict[str, list[str]] = {}
    for path, line in zip(paths, table.lines, strict=True):
        rows.setdefault(path, []).append(line)
    repeated = [f"{path} ({few(lines, 5)})" for path, lines in rows.items() if len(lines) > 1]
    if repeated:
        raise DataError(f"{table.where}: listed more than once: {few(repeated, 20)}; keep one row for each")


def _splits(table: _Table) -> list[str] | None:
    if "split" not in table.columns:
        return None
    written = table.columns["split"]
    known = {value: SPLIT_NAMES.get(value.strip().lower()) for value in set(written)}
    for value in sorted(v for v, split in known.items() if split is None):
        lines = [line for line, v in zip(table.lines, written, strict=True) if v == value]
        raise DataError(f"{table.where}, {few(lines)}: {nearest(value, SPLIT_NAMES, 'split')}")
    return [split for value in written if (split := known[value]) is not None]


def _notes(table: _Table, labels: Sequence[str], paths: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    used = ("path", *labels, "split", "group")
    unused = [name for name in table.columns if name not in used]
    listed = set(paths)
    unlisted = [name for name in names if is_picture(name) and name not in listed]
    notes = []
    if unused:
        notes.append(f"left aside {count(unused, 'column')} of the table: only {', '.join(used)} are used")
    if unlisted:
        notes.append(f"left aside {count(unlisted, 'picture')}: not in the table")
    return tuple(notes)
