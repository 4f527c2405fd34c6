"""Tables as text: CSV, TSV, JSON Lines or Parquet. Comes in: a file in a store; goes out: columns of text, and
where each row stands.

Columns that mean nothing here are kept too where they hold one text or number a row. Must not know what the columns
mean beyond their names.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import IO

from sightline.data.dataset import SPLIT_NAMES
from sightline.data.formats._common import few, read_bytes
from sightline.data.formats._labels import RESERVED, has_indicators, label_columns
from sightline.data.storage.archive import reason_of
from sightline.data.storage.names import Repeated, as_text, is_text
from sightline.data.storage.store import Store
from sightline.errors import DataError, MissingExtraError, nearest

EXTENSIONS = (".csv", ".tsv", ".jsonl", ".parquet")
COLUMNS = ("path", "label", "labels", "value", "split", "group")
FILLED = ("path", "label", "split", "group")  # an empty cell of `labels` says that nothing was found
NUM_PEEKED = 100  # rows of a Parquet file that tell whether it is a table of 0 and 1
ALIASES = {"file_name": "path"}  # Hugging Face's metadata.csv
SYNONYMS = {"path": ("file", "filename", "image", "picture"), "label": ("class", "category", "target")}
SCALARS = ("string", "large_string", "int", "uint", "float", "double", "halffloat", "bool", "dictionary<values=string")
HEAD_BYTES = 65536  # enough to hold any header


@dataclass(frozen=True)
class Table:
    """`columns` by name, as text; `lines` says where each row stands, in words: `line 17`.

    Of a column that is not used and holds something else than texts and numbers there is the name, and no row.
    """

    where: str
    columns: dict[str, Sequence[str]]
    lines: Sequence[str]


def is_of_pictures(store: Store, name: str) -> bool:
    """Whether a file has paths and labels in its first lines; False if it cannot be read."""
    try:
        written, rows = _peek(store, name)
    except MissingExtraError:
        return True  # so that reading it says what to install
    except (OSError, csv.Error, ValueError, RecursionError, DataError):
        return False
    names = [column_name(column) for column in written]
    return "path" in names and (bool(label_columns(names)) or has_indicators(names, rows))


def header(store: Store, name: str) -> list[str]:
    """The columns of a file that may or may not be a table, as written; none if it cannot be read."""
    try:
        return _peek(store, name)[0]
    except MissingExtraError:
        return ["file_name", "label"]  # so that reading it says what to install
    except (OSError, csv.Error, ValueError, RecursionError, DataError):
        return []


def column_name(name: str) -> str:
    """A column as the house calls it: in small letters where it means something, else as written, as classes are."""
    plain = name.strip().lower()
    if plain.startswith("value_"):
        return "value_" + name.strip()[len("value_") :]
    return ALIASES.get(plain, plain if plain in COLUMNS else name.strip())


def _peek(store: Store, name: str) -> tuple[list[str], list[list[str]]]:
    """The columns, and the rows that are whole in the first bytes."""
    with store.open(name) as file:
        if name.lower().endswith(".parquet"):
            return _peek_parquet(file, name)
        data = file.read(HEAD_BYTES + 1)
    text = data[:HEAD_BYTES].decode("utf-8-sig", "replace")
    whole = text if len(data) <= HEAD_BYTES else text[: text.rfind("\n") + 1] or text
    if name.lower().endswith(".jsonl"):
        first = json.loads(next((line for line in whole.splitlines() if line.strip()), "{}"))
        return (list(first), []) if isinstance(first, dict) else ([], [])
    rows = [row for row in csv.reader(io.StringIO(whole), delimiter=_delimiter(text)) if row]
    return (rows[0], rows[1:]) if rows else ([], [])


def _peek_parquet(file: IO[bytes], name: str) -> tuple[list[str], list[list[str]]]:
    parquet = parquet_file(file, name)
    written = [str(column) for column in parquet.schema_arrow.names]
    names = [column_name(column) for column in written]
    if "path" not in names or label_columns(names):
        return written, []
    batch = next(parquet.iter_batches(NUM_PEEKED), None)
    columns = [] if batch is None else [map(str, column.to_pylist()) for column in batch.columns]
    return written, [list(row) for row in zip(*columns, strict=True)]


def read_table(store: Store, name: str, is_labelled: bool = True) -> Table:
    """The table, with the columns it must have and no empty cell in those that are used. Raises DataError.

    `is_labelled`: False where the paths alone are wanted.
    """
    where = f"{store.location}/{name}"
    if name.lower().endswith(".parquet"):
        table = _read_parquet(store, name, where, is_labelled)
    else:
        read = _read_json_lines if name.lower().endswith(".jsonl") else _read_text
        table = read(_text(read_bytes(store, name, where), where), where, is_labelled)
    if is_labelled:
        _check_columns(table)
    elif "path" not in table.columns:
        raise DataError(
            f"{table.where}: no column 'path', which says what pictures are meant; found {', '.join(table.columns)}."
            + _similar("path", table)
        )
    _check_filled(table, FILLED if is_labelled else ("path",))
    return table


def splits_of(table: Table) -> Repeated | None:
    """The column `split` in the house's names, or None where there is none. Raises DataError for an unknown one."""
    if "split" not in table.columns:
        return None
    written = table.columns["split"]
    known = {value: SPLIT_NAMES.get(value.strip().lower()) for value in set(written)}
    for value in sorted(v for v, split in known.items() if split is None):
        lines = [line for line, v in zip(table.lines, written, strict=True) if v == value]
        raise DataError(f"{table.where}, {few(lines)}: {nearest(value, SPLIT_NAMES, 'split')}")
    return Repeated(split for value in written if (split := known[value]) is not None)


def check_unique(where: str, paths: Sequence[str], lines: Sequence[str]) -> None:
    """Raises DataError where a picture is listed more than once."""
    if len(set(paths)) == len(paths):
        return
    rows: dict[str, list[str]] = {}
    for path, line in zip(paths, lines, strict=True):
        rows.setdefault(path, []).append(line)
    repeated = [f"{path} ({few(found, 5)})" for path, found in rows.items() if len(found) > 1]
    raise DataError(f"{where}: listed more than once: {few(repeated, 20)}; keep one row for each")


def parquet_file(file: IO[bytes], where: str):  # type: ignore[no-untyped-def]  # pyarrow has no types
    """The pyarrow.parquet.ParquetFile in `file`, read page by page. Raises DataError, MissingExtraError."""
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("reading Parquet", "pyarrow", "parquet") from error
    with parquet_errors(where):
        opened = parquet.ParquetFile(file, pre_buffer=False, buffer_size=1 << 20, page_checksum_verification=True)
        _ = opened.schema_arrow.names  # names that are no text are found here
        return opened


@contextmanager
def parquet_errors(where: str) -> Iterator[None]:
    """Any error of pyarrow's, which are of every type, as a DataError."""
    try:
        yield
    except (DataError, MissingExtraError):
        raise
    except Exception as error:
        raise DataError(f"{where}: not a readable Parquet file: {reason_of(error)}; fetch it again") from error


def _text(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{where}, line {line}: not UTF-8; save the table as UTF-8") from error


def _read_text(text: str, where: str, is_labelled: bool) -> Table:
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
    return Table(where, _by_name(where, rows[0], list(zip(*rows[1:], strict=True)), is_labelled), lines[1:])


def _delimiter(text: str) -> str:
    """Comma, semicolon or tab: whichever the first line has most of."""
    first = next(iter(text[:HEAD_BYTES].splitlines()), "")
    return max(",;\t", key=first.count)


def _read_json_lines(text: str, where: str, is_labelled: bool) -> Table:
    """One object a line, all with the same keys; numbers become text as JSON writes them. Where paths alone are wanted,
    other keys may differ."""
    rows: list[dict[str, object]] = []
    lines: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where}, line {number}: not JSON: {error}") from error
        if not isinstance(row, dict):
            raise DataError(f"{where}, line {number}: expected an object such as {{'file_name': ..., 'label': ...}}")
        if not (rows and list(row) == list(rows[0])) and not all(map(is_text, row)):
            raise DataError(f"{where}, line {number}: a key holds a lone surrogate, which is no character")
        if not is_labelled:
            row = {key: value for key, value in row.items() if column_name(key) == "path"} or row
        if rows and list(row) != list(rows[0]) and set(row) != set(rows[0]):
            raise DataError(f"{where}, line {number}: the keys {', '.join(row)} instead of {', '.join(rows[0])}")
        rows.append(row)
        lines.append(f"line {number}")
    if not rows:
        raise DataError(f"{where}: the table has no rows")
    names = list(rows[0])
    used = _used(names, is_labelled)
    columns = [
        [_cell(row[name], f"{where}, {line}: {name}", name) for row, line in zip(rows, lines, strict=True)]
        if name in used
        else _beside([row[name] for row in rows])
        for name in names
    ]
    return Table(where, _by_name(where, names, columns, is_labelled), lines)


def _used(names: Sequence[str], is_labelled: bool) -> set[str]:
    """The columns of which the text is wanted: all that could be labels where none says that it is."""
    plain = [column_name(name) for name in names]
    wanted = {*RESERVED, *(label_columns(plain) or plain)} if is_labelled else {"path"}
    return {name for name, known in zip(names, plain, strict=True) if known in wanted}


def _cell(value: object, where: str, column: str) -> str:
    """A value of JSON or Parquet as text; missing is empty, several labels are a JSON list."""
    if value is None or value != value:  # NaN is how floats say that there is none
        return ""
    if isinstance(value, list) and column_name(column) == "labels":
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise DataError(f"{where} is {str(value)[:60]}; expected text or a number, one label a picture")
    if isinstance(value, str) and not is_text(value):
        raise DataError(f"{where} holds a lone surrogate, which is no character: {as_text(value)[:60]}")
    return str(value)


def _beside(values: Sequence[object]) -> Sequence[str]:
    """A column that is not used as text; none where it holds lists or other things."""
    if not all(value is None or isinstance(value, str | int | float) for value in values):
        return ()
    return [_cell(as_text(value) if isinstance(value, str) else value, "", "") for value in values]


def _read_parquet(store: Store, name: str, where: str, is_labelled: bool) -> Table:
    try:
        opened = store.open(name)
    except OSError as error:
        raise DataError(f"{where}: {error.strerror or error}") from error
    with closing(opened) as file:
        parquet = parquet_file(file, where)
        with parquet_errors(where):
            names = [str(column) for column in parquet.schema_arrow.names]
            types = dict(zip(names, map(str, parquet.schema_arrow.types), strict=True))
            used = {column for column in _used(names, is_labelled) if "binary" not in types[column]}
            plain = {column for column in names if types[column].startswith(SCALARS) and names.count(column) == 1}
            wanted = [column for column in names if column in used | plain]
            found = parquet.read(columns=wanted).to_pydict()
            num_rows = parquet.metadata.num_rows
    if any(len(column) != num_rows for column in found.values()):
        raise DataError(f"{where}: damaged: its columns are not of the {num_rows:,} rows that it says; fetch it again")
    if not num_rows:
        raise DataError(f"{where}: the table has no rows")
    lines = [f"row {row}" for row in range(1, num_rows + 1)]
    # Columns of anything else, pictures perhaps, are named but not read.
    columns: list[Sequence[str]] = [
        [_cell(value, f"{where}, {line}: {column}", column) for value, line in zip(found[column], lines, strict=True)]
        if column in found and column in used
        else _beside(found.get(column, ()))
        for column in names
    ]
    return Table(where, _by_name(where, names, columns, is_labelled), lines)


def _by_name(
    where: str, names: Sequence[str], columns: Sequence[Sequence[str]], is_labelled: bool
) -> dict[str, Sequence[str]]:
    plain = [column_name(name) for name in names]
    used = (*COLUMNS, *label_columns(plain)) if label_columns(plain) else plain
    for name in dict.fromkeys(used if is_labelled else ("path",)):
        if plain.count(name) > 1 and len({*names} & {"path", "file_name"}) == 2 and name == "path":
            raise DataError(f"{where}: file_name and path both say which picture is meant; keep one of the columns")
        if plain.count(name) > 1:
            raise DataError(f"{where}: the column {name} occurs {plain.count(name)} times")
    # Which of two that share a name is meant, nothing tells.
    return {name: column if plain.count(name) == 1 else () for name, column in zip(plain, columns, strict=True)}


def _check_columns(table: Table) -> None:
    others = [name for name in table.columns if name not in RESERVED]
    is_labelled = bool(label_columns(others)) or _could_be_indicators(table, others)
    for name, is_there in (("path", "path" in table.columns), ("label", is_labelled)):
        if not is_there:
            raise DataError(
                f"{table.where}: no column {name!r}; found {', '.join(table.columns)}. "
                "A table of pictures has the columns path,label (labels: for several a picture; value: for a number) "
                "and, if wanted, split and group." + _similar(name, table)
            )


def _could_be_indicators(table: Table, others: Sequence[str]) -> bool:
    """Whether some of the columns hold nothing but 0 and 1: then those that do not are told of one by one."""
    good = [name for name in others if has_indicators(("path", name, name), [("", c, c) for c in table.columns[name]])]
    return len(others) >= 2 and len(good) >= 2


def _similar(name: str, table: Table) -> str:
    """A sentence that names the columns which may have been meant, if any."""
    import difflib

    words = (name, *SYNONYMS[name])
    unknown = [column for column in table.columns if column not in COLUMNS]
    close = [column for column in unknown if difflib.get_close_matches(column.lower(), words)]
    return f" Perhaps rename {' or '.join(close)} to {name}." if close else ""


def _check_filled(table: Table, names: Sequence[str]) -> None:
    for name in names:
        column = table.columns.get(name, ())
        empty = [line for line, value in zip(table.lines, column, strict=False) if not value.strip()]
        if empty:
            raise DataError(f"{table.where}: empty {name} on {few(empty, 20)}; fill it in or remove the row")
