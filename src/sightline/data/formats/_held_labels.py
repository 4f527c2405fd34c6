"""Labels that lie beside their pictures, in shards and in Parquet files. Comes in: what each row says; goes out: labels
as a Dataset has them, and their names.

A row says one class (its name), several (a list of names, none among them), or numbers (a mapping of name -> number).
Which it is, a field's name tells, as of a table: `label`, `labels`, `value` or `value_NAME`; see `_labels`. Must not
know the files.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TypeGuard

import numpy as np

from sightline.data.dataset import encode_labels
from sightline.data.formats._common import check_classes, few
from sightline.data.tasks import Labels, multi
from sightline.errors import DataError

Held = str | list[str] | dict[str, float]
KINDS = {str: "one class", list: "several labels", dict: "numbers"}
VALUE = "value"


def encode(
    location: str, rows: Sequence[Held], paths: Sequence[str], splits: Sequence[str] | None
) -> tuple[Labels, tuple[str, ...], tuple[str, ...]]:
    """Labels, names and sentences for the user. Raises DataError for rows of several kinds, or that do not fit."""
    kind = type(rows[0])
    other = next((row for row, found in enumerate(rows) if type(found) is not kind), None)
    if other is not None:
        raise DataError(
            f"{location}: {paths[0]} has {KINDS[kind]} and {paths[other]} {KINDS[type(rows[other])]}; label all alike"
        )
    if _are_lists(rows):
        for carried, path in zip(rows, paths, strict=True):
            if wrong := wrong_list(carried):
                raise DataError(f"{location}: {path}: {wrong}")
        found, classes = multi.encode(rows)
        return found, classes, (f"several labels a picture: {few([repr(name) for name in classes], 20)}",)
    if _are_mappings(rows):
        names = tuple(rows[0])
        for row, path in zip(rows, paths, strict=True):
            if row.keys() != set(names):
                raise DataError(f"{location}: {path} has the numbers {few(list(row))}, others {few(names, 20)}")
        values = np.array([[row[name] for name in names] for row in rows], np.float64)
        return values, names, (f"numbers to be estimated: {few(names, 20)}",)
    labels = [row for row in rows if isinstance(row, str)]
    check_classes(location, labels, splits)
    return (*encode_labels(labels), ())


def wrong_list(names: Sequence[str]) -> str | None:
    """What is wrong with the labels of a row, or None."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if "" in names or twice:
        return f"{f'{twice[0]!r} twice' if twice else 'an empty label'} in {names}; write each label once"
    return None


def value_names(fields: Sequence[str], where: str) -> dict[str, str]:
    """Field -> what the number in it is called. Raises DataError where two are called the same, or one nothing."""
    names = {field: field.removeprefix(f"{VALUE}_") for field in fields if is_value(field)}
    if len(set(names.values())) < len(names) or "" in names.values():
        raise DataError(
            f"{where}: {few(list(names), 20)} give the names {few(list(names.values()), 20)}; make them differ"
        )
    return names


def is_value(field: str) -> bool:
    return field == VALUE or field.startswith(f"{VALUE}_")


def number(value: object, where: str) -> float:
    """Raises DataError, which begins with `where`, for anything but a finite number."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(float(value)):
            return float(value)
    except OverflowError:  # of a whole number beyond all floats
        pass
    raise DataError(f"{where} = {str(value)[:80]!a}; expected a number")


def _are_lists(rows: Sequence[Held]) -> TypeGuard[Sequence[list[str]]]:
    return isinstance(rows[0], list)


def _are_mappings(rows: Sequence[Held]) -> TypeGuard[Sequence[Mapping[str, float]]]:
    return isinstance(rows[0], dict)
