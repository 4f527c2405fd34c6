"""The label columns of a table. Comes in: columns as text; goes out: labels, their names, and what was understood.

The names of the columns say what is meant, never their contents, so that classes `0` to `9` are never taken for
numbers, nor a class name with a semicolon for a list:

    label             one class a picture, as written
    labels            any number of classes: `cat;dog`, `cat|dog` or a JSON list; an empty cell: none
    value, value_*    numbers: `value`, or `value_width` and `value_height`
    none of these     two columns or more that hold nothing but 0 and 1: a class each
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sightline.data.dataset import encode_labels
from sightline.data.formats._common import few
from sightline.data.tasks import Labels, multi
from sightline.errors import DataError

RESERVED = ("path", "split", "group")
_BITS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}
# What float() takes besides (underscores, nan, inf) is no number that anyone measured.
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")
MIN_INDICATORS = 2  # a single 0/1 column may be anything


@dataclass(frozen=True)
class Labelled:
    """labels and names as a Dataset has them, the columns they came from, and a sentence for the user, or ""."""

    labels: Labels
    names: tuple[str, ...]
    columns: tuple[str, ...]
    note: str


def label_columns(header: Sequence[str]) -> list[str]:
    """The columns that say by their name that they hold labels."""
    return [name for name in header if name in ("label", "labels", "value") or name.startswith("value_")]


def has_indicators(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether all that stands beside path, split and group are two or more columns of 0 and 1."""
    places = [i for i, name in enumerate(header) if name not in RESERVED]
    cells = (row[i] for row in rows for i in places if i < len(row))
    return len(places) >= MIN_INDICATORS and bool(rows) and all(_bit(cell) is not None for cell in cells)


def read_labels(where: str, columns: Mapping[str, Sequence[str]], lines: Sequence[str]) -> Labelled:
    """Raises DataError for cells that are not what their column says, or columns of several kinds."""
    named = label_columns(list(columns))
    kinds = sorted({name.partition("_")[0] for name in named})
    if len(kinds) > 1:
        raise DataError(
            f"{where} has the columns {' and '.join(named)}: one class a picture, several or a number? "
            "Keep what is meant, and rename or remove the other"
        )
    if kinds == ["label"]:
        return Labelled(*encode_labels(columns["label"]), ("label",), "")
    if kinds == ["labels"]:
        return _lists(where, columns["labels"], lines)
    if kinds == ["value"]:
        return _numbers(where, {name: columns[name] for name in named}, lines)
    return _indicators(where, {n: c for n, c in columns.items() if n not in RESERVED}, lines)


def _lists(where: str, cells: Sequence[str], lines: Sequence[str]) -> Labelled:
    if any(cell.lstrip().startswith("[") for cell in cells):
        rows, how = [_json(where, cell, line) for cell, line in zip(cells, lines, strict=True)], "as JSON lists"
    else:
        rows, how = _separated(where, cells, lines)
    for row, line in zip(rows, lines, strict=True):
        repeated = sorted({name for name in row if row.count(name) > 1})
        if repeated or "" in row:
            what = f"{repeated[0]!r} twice" if repeated and repeated[0] else "an empty label"
            raise DataError(f"{where}, {line}: {what} in {row}; write each label once")
    labels, names = multi.encode(rows)
    note = f"several labels a picture, from the column labels {how}: {few([repr(n) for n in names], 20)}"
    if labels.sum(axis=1).max(initial=0) < 2 and labels.any():
        note += ". No row carries more than one: to train one class a picture, rename the column to label"
    return Labelled(labels, names, ("labels",), note)


def _separated(where: str, cells: Sequence[str], lines: Sequence[str]) -> tuple[list[list[str]], str]:
    """Cells divided at the one separator that the column uses, and how, in words."""
    found = {s: [line for line, c in zip(lines, cells, strict=True) if s in c] for s in (*multi.SEPARATORS, ",")}
    used = [s for s in multi.SEPARATORS if found[s]]
    json_hint = 'write JSON lists (["a;b", "c"]) where names hold such characters'
    if len(used) > 1:
        raise DataError(
            f"{where}: the column labels has both ; ({few(found[';'])}) and | ({few(found['|'])}); "
            f"separate by one of them, or {json_hint}"
        )
    if found[","] and not used:
        raise DataError(
            f"{where}: the column labels has commas ({few(found[','])}), but labels are separated by ; or |; "
            f"replace them, or {json_hint}"
        )
    rows = [
        [name.strip() for name in (cell.split(used[0]) if used else [cell])] if cell.strip() else [] for cell in cells
    ]
    return rows, f"separated by {used[0]}" if used else "one a row"


def _json(where: str, cell: str, line: str) -> list[str]:
    if not cell.strip():
        return []
    try:
        found = json.loads(cell)
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise DataError(
            f'{where}, {line}: {cell!r} is not a JSON list of names, such as ["cat", "dog"], as other rows are'
        )
    return [name.strip() for name in found]


def _numbers(where: str, columns: Mapping[str, Sequence[str]], lines: Sequence[str]) -> Labelled:
    values = np.empty((len(lines), len(columns)))
    for i, (column, cells) in enumerate(columns.items()):
        bad = [
            f"{cell!r} on {line}"
            for cell, line in zip(cells, lines, strict=True)
            if not _NUMBER.fullmatch(cell) or not math.isfinite(float(cell))
        ]
        if bad:
            hint = " Write decimals with a point." if any("," in cell for cell in bad) else ""
            raise DataError(
                f"{where}: no number in the column {column}: {few(bad, 20)}; fill it in, or remove the row.{hint}"
            )
        values[:, i] = [float(cell) for cell in cells]
    names = tuple(column.removeprefix("value_") for column in columns)
    if len(set(names)) < len(names) or "" in names:
        raise DataError(
            f"{where}: the columns {', '.join(columns)} give the names {', '.join(names)}; make them differ"
        )
    note = f"numbers to be estimated, from the column{'s' if len(names) > 1 else ''} {', '.join(columns)}"
    return Labelled(values, names, tuple(columns), note)


def _indicators(where: str, columns: Mapping[str, Sequence[str]], lines: Sequence[str]) -> Labelled:
    labels = np.zeros((len(lines), len(columns)), np.uint8)
    for k, (name, cells) in enumerate(columns.items()):
        bits = [_bit(cell) for cell in cells]
        bad = [f"{cell!r} on {line}" for cell, bit, line in zip(cells, bits, lines, strict=False) if bit is None]
        if bad or len(bits) != len(lines):
            raise DataError(
                f"{where}: with no column label, labels or value, each other column is a class that a picture carries "
                f"(1) or not (0), but {name} holds {few(bad) or 'something else'}; remove the column, or correct it"
            )
        labels[:, k] = [bit or 0 for bit in bits]
    return Labelled(
        labels,
        tuple(columns),
        tuple(columns),
        f"several labels a picture, from {len(columns)} columns of 0 and 1: {few([repr(n) for n in columns], 20)}",
    )


def _bit(cell: str) -> int | None:
    return _BITS.get(cell.strip().lower())
