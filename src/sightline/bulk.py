"""Many pictures -> a file with exactly one row for each, in order, whatever ends the process on the way.

Comes in: a Predictor and names; goes out: CSV, JSON Lines or Parquet. Rows are kept beside the file as they come; where
that is there already, the same call goes on behind its last whole row. The file gets its name when all are answered.
Memory stays flat. Must not know the terminal.
"""

import csv
import io
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from sightline.data.storage import durable
from sightline.errors import ConfigError, MissingExtraError, nearest
from sightline.evaluation.progress import Track, untracked
from sightline.predictor import Failure, Predictor

CONFIRM_S = 1.0  # how often the disk confirms what was written: so much is answered again after a kill
ROWS_AT_ONCE = 10_000  # of Parquet


@dataclass(frozen=True)
class Written:
    """num: rows. num_failed: those of pictures that could not be read. num_found: rows that were there already."""

    path: Path
    num: int
    num_failed: int
    num_found: int


def predict_to(
    predictor: Predictor, names: Sequence[str], path: Path, who: Mapping[str, Any], progress: Track = untracked
) -> Written:
    """Answer pictures into `path`, whose ending says how: .csv, .jsonl, .parquet.

    `who`: what answers and how, in plain values; rows that another left are not gone on with. Raises ConfigError for
    that, for another order of names, an unknown ending, and for a file that is there already.
    """
    write = _writer(path)
    if path.exists():
        raise ConfigError(f"{path} is there already; name another file, or remove it")
    kept = path.with_name(path.name + ".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = durable.Lock(path.with_name(path.name + ".lock"))
    if not lock.take():
        raise ConfigError(f"{path} is being written by another process")
    try:
        num_found = _found(kept, names, who)
        _answer(predictor, names, kept, num_found, progress)
        with durable.replacing(path) as file:
            num_failed = write(file, kept, predictor.decision.columns(predictor.classes))
        durable.sync_folder(path.parent)
        kept.unlink()
    finally:
        lock.release()
        lock.path.unlink(missing_ok=True)
    return Written(path, len(names), num_failed, num_found)


def _answer(predictor: Predictor, names: Sequence[str], kept: Path, start: int, progress: Track) -> None:
    """Append a line for each name from `start` on."""
    confirmed = time.monotonic()
    with kept.open("a", encoding="utf-8", newline="") as file:
        rest = islice(names, start, None)
        for answer in progress(predictor.stream(rest), len(names) - start, "pictures"):
            cells = () if isinstance(answer, Failure) else answer.cells()
            line = {"failed": isinstance(answer, Failure), "cells": cells, "answer": asdict(answer)}
            file.write(json.dumps(line, ensure_ascii=True) + "\n")
            if time.monotonic() - confirmed > CONFIRM_S:
                _confirm(file)
                confirmed = time.monotonic()
        _confirm(file)


def _confirm(file: IO[str]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _found(kept: Path, names: Sequence[str], who: Mapping[str, Any]) -> int:
    """How many whole rows are there; what comes behind them is cut off. A new file where there is none."""
    first = json.dumps(dict(who), sort_keys=True) + "\n"
    if not kept.exists():
        with durable.replacing(kept) as file:
            file.write(first.encode("utf-8"))
        return 0
    num = 0
    with kept.open("r+b") as file:
        if file.readline() != first.encode("utf-8"):
            raise ConfigError(
                f"{kept} was begun by another run, or with other options; remove it, or name another file"
            )
        end = file.tell()
        for line in file:
            if not line.endswith(b"\n"):
                break
            if num >= len(names) or json.loads(line)["answer"]["path"] != names[num]:
                raise ConfigError(f"{kept}: row {num + 1} is of another picture than is asked now; remove it")
            num, end = num + 1, file.tell()
        file.truncate(end)
    return num


def _rows(kept: Path) -> Iterator[dict[str, Any]]:
    with kept.open(encoding="utf-8") as file:
        file.readline()  # who answered
        yield from map(json.loads, file)


Write = Callable[[IO[bytes], Path, tuple[str, ...]], int]


def _writer(path: Path) -> Write:
    if path.suffix not in _WRITERS:
        raise ConfigError(f"{path}: {nearest(path.suffix, _WRITERS, 'ending')}")
    if path.suffix == ".parquet":
        _pyarrow()
    return _WRITERS[path.suffix]


def _csv(file: IO[bytes], kept: Path, columns: tuple[str, ...]) -> int:
    text = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")
    writer, num_failed = csv.writer(text, lineterminator="\n"), 0
    writer.writerow(("path", *columns, "doubt", "error"))
    for row in _rows(kept):
        num_failed += row["failed"]
        cells = [""] * len(columns) if row["failed"] else row["cells"]
        writer.writerow((row["answer"]["path"], *cells, row["answer"].get("doubt", ""), row["answer"].get("error", "")))
    text.detach()
    return num_failed


def _jsonl(file: IO[bytes], kept: Path, columns: tuple[str, ...]) -> int:
    num_failed = 0
    for row in _rows(kept):
        num_failed += row["failed"]
        file.write((json.dumps(row["answer"], ensure_ascii=True) + "\n").encode("ascii"))
    return num_failed


def _parquet(file: IO[bytes], kept: Path, columns: tuple[str, ...]) -> int:
    """A column for each part of an answer: texts, numbers, and probabilities by class as a struct."""
    arrow, parquet = _pyarrow()
    good = next((row["answer"] for row in _rows(kept) if not row["failed"]), {"path": ""})
    plain = arrow.Table.from_pylist([{**good, "error": ""}]).schema
    fields = [arrow.field(f.name, arrow.float64() if arrow.types.is_null(f.type) else f.type) for f in plain]
    rows, num_failed, schema = _rows(kept), 0, arrow.schema(fields)
    with parquet.ParquetWriter(file, schema) as writer:
        while some := list(islice(rows, ROWS_AT_ONCE)):
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
