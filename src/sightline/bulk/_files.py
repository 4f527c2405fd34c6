"""Kept rows -> a file: CSV, JSON Lines or Parquet. Must not know what answered, or what is kept how."""

import csv
import io
import json
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import IO, Any

from sightline.data.storage import durable
from sightline.errors import MissingExtraError

ROWS_AT_ONCE = 10_000  # of Parquet

Rows = Callable[[], Iterable[dict[str, Any]]]  # from the first one on, as often as asked
Write = Callable[[IO[bytes], Rows, tuple[str, ...]], int]


def writer_of(path: Path) -> Write:
    """What writes a new file of its ending, and says how many rows failed. Raises ConfigError, MissingExtraError."""
    durable.check_new(path, _WRITERS)
    if path.suffix == ".parquet":
        _pyarrow()
    return _WRITERS[path.suffix]


def _csv(file: IO[bytes], rows: Rows, columns: tuple[str, ...]) -> int:
    text = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")
    writer, num_failed = csv.writer(text, lineterminator="\n"), 0
    writer.writerow(("path", *columns, "doubt", "error"))
    for row in rows():
        num_failed += row["failed"]
        cells = [""] * len(columns) if row["failed"] else row["cells"]
        writer.writerow((row["answer"]["path"], *cells, row["answer"].get("doubt", ""), row["answer"].get("error", "")))
    text.detach()
    return num_failed


def _jsonl(file: IO[bytes], rows: Rows, columns: tuple[str, ...]) -> int:
    num_failed = 0
    for row in rows():
        num_failed += row["failed"]
        file.write((json.dumps(row["answer"], ensure_ascii=True) + "\n").encode("ascii"))
    return num_failed


def _parquet(file: IO[bytes], rows: Rows, columns: tuple[str, ...]) -> int:
    """A column for each part of an answer: texts, numbers, and probabilities by class as a struct."""
    arrow, parquet = _pyarrow()
    good = next((row["answer"] for row in rows() if not row["failed"]), {"path": ""})
    plain = arrow.Table.from_pylist([{**good, "error": ""}]).schema
    fields = [arrow.field(f.name, arrow.float64() if arrow.types.is_null(f.type) else f.type) for f in plain]
    left, num_failed, schema = iter(rows()), 0, arrow.schema(fields)
    with parquet.ParquetWriter(file, schema) as writer:
        while some := list(islice(left, ROWS_AT_ONCE)):
            num_failed += sum(row["failed"] for row in some)
            writer.write_table(arrow.Table.from_pylist([row["answer"] for row in some], schema))
    return num_failed


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("a file of Parquet", "pyarrow", "parquet") from error
    return pyarrow, parquet


_WRITERS: dict[str, Write] = {".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}
