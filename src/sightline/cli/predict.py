"""Answer pictures: files, folders, archives, globs, tables, addresses, or `-` for names on standard input, one a line.

Pictures are answered as they are read, so a million of them need no more memory than a few. A picture that
cannot be read gets a line with its error, and the exit code is 3. A NIfTI volume gets a line for each slice. A
picture that is like none of those that trained is called unknown.

With --out, into a file: a row for each picture, exactly one, whatever ends the process on the way. The same command
goes on behind the last row.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from sightline.cli._sets import add_set_arguments

if TYPE_CHECKING:
    from sightline.decision import AnyPrediction
    from sightline.predictor import Failure, Predictor


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder, or what was exported from one")
    parser.add_argument(
        "inputs", metavar="INPUT", nargs="+", help="pictures; folders, archives, tables of them; addresses, globs, or -"
    )
    add_set_arguments(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="a JSON object a line, with every class's probability")
    form.add_argument("--csv", action="store_true", help="path,label,probability,doubt,error")
    form.add_argument("--out", metavar="FILE", help="a .csv, .jsonl or .parquet file, gone on with after a kill")
    parser.add_argument("--engine", metavar="{local,ray}", help="of --out: local (default), or ray, by many processes")


def run(args: argparse.Namespace) -> int:
    from sightline.predictor import Failure, Predictor

    if args.engine is not None:
        _check_engine(args)
    predictor = Predictor.open(args.run, args.sets, args.sets_by, args.by_class, args.abstain)
    columns = predictor.decision.columns(predictor.classes)
    write = _json if args.json else _csv(columns) if args.csv else _table
    num_failed = 0
    named = (pair for called, path in paths(args.inputs) for pair in _slices(called, path))
    if args.out:
        return _to_file(args, predictor, named)
    for answer in _answers(predictor, named):
        num_failed += isinstance(answer, Failure)
        write(answer)
    return 3 if num_failed else 0


def _slices(called: str, path: str) -> "Iterator[tuple[str, str]]":
    from sightline.data.medical.slices import slice_names

    return ((called + name[len(path) :], name) for name in slice_names(path))


def _answers(predictor: "Predictor", named: "Iterable[tuple[str, str]]") -> "Iterator[AnyPrediction | Failure]":
    """Answers by the names that pictures are called by."""
    from collections import deque
    from dataclasses import replace

    asked = deque[str]()

    def read_by() -> Iterator[str]:
        for called, path in named:
            asked.append(called)
            yield path

    for answer in predictor.stream(read_by()):
        yield replace(answer, path=asked.popleft())


def _check_engine(args: argparse.Namespace) -> None:
    from sightline.bulk import ENGINES
    from sightline.errors import ConfigError

    ENGINES.check(args.engine)
    if not args.out:
        raise ConfigError("--engine says what answers into a file: give --out FILE too")


def _to_file(args: argparse.Namespace, predictor: "Predictor", named: "Iterable[tuple[str, str]]") -> int:
    import sys
    from dataclasses import asdict
    from functools import partial
    from pathlib import Path

    from sightline import __version__
    from sightline.bulk import ENGINES, Asked, predict_to
    from sightline.cli._terminal import Terminal
    from sightline.data.storage.names import Names

    called = list[str | None]()  # None: as it is read by, which nearly all are

    def read_by() -> Iterator[str]:
        for name, path in named:
            called.append(None if name == path else name)
            yield path

    pictures = Names(read_by())
    names = Names(name or path for name, path in zip(called, pictures, strict=True)) if any(called) else pictures
    asked = Asked(str(Path(args.run).resolve()), args.sets, args.sets_by, args.by_class, args.abstain)
    who = {"version": __version__, **asdict(asked)}
    rows = partial(ENGINES.get(args.engine or "local").rows, asked, predictor)
    with Terminal() as terminal:
        found = predict_to(predictor, pictures, Path(args.out), who, terminal.track, rows, names)
    again = f", {found.num_found:,} of which were there already" if found.num_found else ""
    failed = f"; {found.num_failed:,} could not be read" if found.num_failed else ""
    print(f"{found.path}: {found.num:,} rows{again}{failed}", file=sys.stderr)
    return 3 if found.num_failed else 0


def paths(inputs: Iterable[str]) -> "Iterator[tuple[str, str]]":
    """Every picture that the inputs name, as they are reached: how it is called, and by which name it is read.

    What folders hold besides is counted aloud.
    """
    import glob
    import io
    import os
    import sys

    from sightline.data.formats._common import is_picture, walked
    from sightline.data.formats.table import is_table, listed_pictures
    from sightline.data.storage.named import files_in
    from sightline.data.storage.remote import is_url

    for name in inputs:
        if name == "-":
            if isinstance(sys.stdin, io.TextIOWrapper):
                sys.stdin.reconfigure(errors="surrogateescape")  # names need not be UTF-8
            yield from ((line.rstrip("\n"),) * 2 for line in sys.stdin if line.strip())
        elif os.path.isdir(name):
            yield from _pictures(name, walked(name))
        elif is_table(name) and (is_url(name) or os.path.isfile(name)):
            yield from listed_pictures(name)
        elif not is_url(name) and not os.path.exists(name) and glob.has_magic(name):
            found = sorted(glob.glob(name, recursive=True))
            yield from ((one, one) for one in found or [name])  # what matches nothing fails under its own name
        elif (files := files_in(name)) is not None:
            yield from _pictures(name, ((file, is_picture(file)) for file in files))
        else:
            yield name, name


def _pictures(name: str, files: "Iterable[tuple[str, bool]]") -> "Iterator[tuple[str, str]]":
    """Those of a folder's files that are named as pictures; the folder itself, which fails, where there are none."""
    import sys

    pictures = others = 0
    for file, is_picture in files:
        pictures, others = pictures + is_picture, others + (not is_picture)
        if is_picture:
            yield file, file
    if others:
        print(f"{name}: {others} file{'s' if others > 1 else ''} not named as a picture, not read", file=sys.stderr)
    if not pictures:
        print(f"{name}: no pictures in this folder", file=sys.stderr)
        yield name, name


def _json(answer: "AnyPrediction | Failure") -> None:
    import json
    from dataclasses import asdict

    print(json.dumps(asdict(answer), ensure_ascii=False))


def _csv(columns: tuple[str, ...]) -> "Callable[[AnyPrediction | Failure], None]":
    import csv
    import sys

    from sightline.predictor import cells_of

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("path", *columns, "doubt", "error"))

    def write(answer: "AnyPrediction | Failure") -> None:
        writer.writerow((answer.path, *cells_of(answer, len(columns))))

    return write


def _table(answer: "AnyPrediction | Failure") -> None:
    from sightline.predictor import Failure

    if isinstance(answer, Failure):
        print(f"{'error':>7}  {answer.path}: {answer.error}")
    else:
        print(answer.line())
