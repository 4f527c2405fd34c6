"""Labels inside Parquet files. Comes in: pyarrow's columns; goes out: what each row says.

A column of text or of indices is one class a picture; one of lists of these, several; columns of numbers are numbers.
Must not know files or pictures.
"""

from collections.abc import Sequence
from typing import Any  # Any: pyarrow has no types

from sightline.data.formats._held_labels import Held, is_value, number, value_names
from sightline.errors import DataError

NO_LABEL = -1  # Hugging Face's index of a label that is not told, as in test splits of competitions
LISTS = "labels"

Label = str | int | list[str | int] | dict[str, float]


def read_labels(table: Any, columns: Sequence[str], where: str, names: Sequence[str] | None) -> list[Label | None]:
    """What each row says; None for nothing. Raises DataError for other types and for indices without a name."""
    from pyarrow import types

    if is_value(columns[0]):
        return _numbers(table, columns, where)
    column = table.column(columns[0])
    kind = column.type
    if columns[0] == LISTS and (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
        return _lists(column, where, names)
    return list(_single(column, where, names))


def named(label: Label, names: Sequence[str] | None) -> Held:
    """The same by names of classes, where there are indices and names."""
    if isinstance(label, dict):
        return label
    if isinstance(label, list):
        return [_name(one, names) for one in label]
    return _name(label, names)


def _name(label: str | int, names: Sequence[str] | None) -> str:
    return names[label] if names is not None and isinstance(label, int) else str(label)


def _single(column: Any, where: str, names: Sequence[str] | None) -> list[str | int | None]:
    """Text, or indices; None for no label."""
    from pyarrow import types

    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if types.is_string(kind) or types.is_large_string(kind):
        texts: list[str | int | None] = column.to_pylist()
        if "" in texts:
            raise DataError(f"{where}, row {texts.index('') + 1}: an empty label; fill it in or remove the row")
        return texts
    if not (types.is_integer(kind) or types.is_boolean(kind)):
        raise DataError(
            f"{where}: labels of type {kind}; expected text or whole numbers, one label a picture; "
            "call a column of lists labels, and one of numbers to be estimated value"
        )
    indices = [None if v is None or v == NO_LABEL else int(v) for v in column.to_pylist()]
    for row, index in enumerate(indices, 1):
        _check_index(index, names, f"{where}, row {row}")
    return list(indices)


def _check_index(index: int | None, names: Sequence[str] | None, where: str) -> None:
    if index is not None and names is not None and not 0 <= index < len(names):
        raise DataError(f"{where}: label {index}, but there are names for 0 to {len(names) - 1}")


def _lists(column: Any, where: str, names: Sequence[str] | None) -> list[Label | None]:
    found = list[Label | None]()
    for row, labels in enumerate(column.to_pylist(), 1):
        wrong = [one for one in labels or () if isinstance(one, bool) or not isinstance(one, str | int)]
        if wrong:
            raise DataError(
                f"{where}, row {row}: {str(wrong[0])[:80]!a} among the labels; expected text or whole numbers"
            )
        for one in labels or ():
            _check_index(one if isinstance(one, int) else None, names, f"{where}, row {row}")
        found.append(labels)
    return found


def _numbers(table: Any, columns: Sequence[str], where: str) -> list[Label | None]:
    """Rows where all numbers are absent say nothing."""
    called = value_names(columns, where)
    rows = zip(*(table.column(column).to_pylist() for column in columns), strict=True)
    return [
        None
        if all(value is None for value in values)
        else {
            called[column]: number(value, f"{where}, row {row}: {column}")
            for column, value in zip(columns, values, strict=True)
        }
        for row, values in enumerate(rows, 1)
    ]
