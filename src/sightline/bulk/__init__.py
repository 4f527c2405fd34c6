"""Many pictures -> a file with exactly one row for each, in order, whatever ends the process on the way.

Comes in: names, and what answers them: this process (`local`) or a cluster's (`ray`), one file an engine. Goes out:
CSV, JSON Lines or Parquet. Rows are kept beside the file as they come; where that is there already, the same call goes
on behind its last whole row. The file gets its name when all are answered. Memory stays flat. Must not know the
terminal.

An engine's module exposes `rows(asked, predictor, names)` -> a line (`_rows`) for each name, in order.
"""

import contextlib
import json
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sightline.bulk._asked import Asked as Asked
from sightline.bulk._files import writer_of
from sightline.bulk._rows import row_of
from sightline.data.storage import durable
from sightline.errors import ConfigError
from sightline.evaluation.progress import Track, untracked
from sightline.predictor import Predictor
from sightline.registry import Registry

ENGINES = Registry("sightline.bulk", "engine", ("rows",))
CONFIRM_S = 1.0  # how often the disk confirms what was written: so much is answered again after a kill

Rows = Callable[[Sequence[str]], Iterator[str]]  # names -> a line for each


@dataclass(frozen=True)
class Written:
    """num: rows. num_failed: those of pictures that could not be read. num_found: rows that were there already."""

    path: Path
    num: int
    num_failed: int
    num_found: int


def predict_to(
    predictor: Predictor,
    pictures: Sequence[str],
    path: Path,
    who: Mapping[str, Any],
    progress: Track = untracked,
    rows: Rows | None = None,
    names: Sequence[str] | None = None,
) -> Written:
    """Answer pictures into `path`, whose ending says how: .csv, .jsonl, .parquet.

    `pictures`: the names by which they are read; `names`: as the file calls them, where that is otherwise. `who`: what
    answers and how, in plain values; rows that another left are not gone on with. `rows`: an engine's; None, the
    predictor's own. Raises ConfigError for another's rows, for another order of pictures, an unknown ending, and for a
    file that is there already; and what the engine raises.
    """
    write = writer_of(path)
    kept = path.with_name(path.name + ".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = durable.Lock(path.with_name(path.name + ".lock"))
    if not lock.take():
        raise ConfigError(f"{path} is being written by another process")
    try:
        with durable.naming(path):
            num_found = _found(kept, pictures, who)
            _answer(rows or (lambda some: map(row_of, predictor.stream(some))), pictures, kept, num_found, progress)
            with durable.replacing(path) as file:
                num_failed = write(
                    file, lambda: _rows(kept, names or pictures), predictor.decision.columns(predictor.classes)
                )
        durable.sync_folder(path.parent)
        kept.unlink()
    finally:
        lock.release()
        lock.path.unlink(missing_ok=True)
    return Written(path, len(pictures), num_failed, num_found)


def _answer(rows: Rows, names: Sequence[str], kept: Path, start: int, progress: Track) -> None:
    """Append a line for each name from `start` on."""
    confirmed, lines = time.monotonic(), rows(names[start:] if start else names)
    with kept.open("a", encoding="utf-8", newline="") as file, contextlib.ExitStack() as at_end:
        if isinstance(lines, Generator):
            at_end.callback(lines.close)  # what it started ends here, also after an error
        for line in progress(lines, len(names) - start, "pictures"):
            file.write(line)
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


def _rows(kept: Path, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    with kept.open(encoding="utf-8") as file:
        file.readline()  # who answered
        for row, name in zip(map(json.loads, file), names, strict=True):
            row["answer"]["path"] = name
            yield row
