"""Moments -> a file with a row for each, as they come: .csv or .jsonl."""

import csv
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import IO

from sightline.data.storage import durable
from sightline.predictor import Predictor, cells_of
from sightline.video.watch import Moment

Write = Callable[[Moment], None]


def check_table(path: Path) -> None:
    """Raises ConfigError for another ending, and where it is there already."""
    durable.check_new(path, _WRITERS)


def open_table(path: Path) -> IO[str]:
    """A new file, after `check_table`: not before all else is there, or a mistake would leave it empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("x", encoding="utf-8", newline="", buffering=1)


def rows_into(file: IO[str], predictor: Predictor) -> Write:
    """What writes a Moment."""
    return _WRITERS[Path(file.name).suffix](file, predictor)


def _csv(file: IO[str], predictor: Predictor) -> Write:
    columns = predictor.decision.columns(predictor.classes)
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("frame", "seconds", *columns, "doubt", "error", "latency_ms"))

    def write(moment: Moment) -> None:
        row, latency = cells_of(moment.answer, len(columns)), f"{1000 * moment.latency:.2f}"
        writer.writerow((moment.frame, f"{moment.seconds:.3f}", *row, latency))

    return write


def _jsonl(file: IO[str], predictor: Predictor) -> Write:
    def write(moment: Moment) -> None:
        file.write(json.dumps(asdict(moment), ensure_ascii=True) + "\n")

    return write


_WRITERS: dict[str, Callable[[IO[str], Predictor], Write]] = {".csv": _csv, ".jsonl": _jsonl}
