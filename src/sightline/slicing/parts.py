"""Values of the tested pictures -> parts of them. Comes in: an attribute or a column; goes out: Parts, a number each.

Numbers are cut into quarters, at values that occur; a few distinct ones, and texts, are parts as they are. Must not
know what was answered.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sightline.data.dataset import Dataset
from sightline.data.storage.names import Repeated, natural_key
from sightline.errors import ConfigError, nearest
from sightline.evaluation.evaluate import Evaluation
from sightline.slicing.attributes import ATTRIBUTES

NUM_CUTS = 4  # parts that numbers are cut into, as nearly equal as their values allow
MAX_DISTINCT = 6  # numbers; up to so many are parts as they are: stages, ratings, years
EMPTY = "(empty)"
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")


@dataclass(frozen=True)
class Parts:
    """Of an attribute `name`: the `values` that it has, in order, and the number (n,) of that of each picture."""

    name: str
    values: tuple[str, ...]
    codes: NDArray[np.intp]

    @property
    def counts(self) -> NDArray[np.intp]:
        """Pictures of each value."""
        return np.bincount(self.codes, minlength=len(self.values))


def names_of(dataset: Dataset) -> list[str]:
    """What pictures can be parted by: the columns of their table, then the attributes."""
    columns = list(dataset.columns)
    return [*columns, *(name for name in ATTRIBUTES.names() if name not in columns)]


def check_name(dataset: Dataset, name: str) -> None:
    """Raise ConfigError, with the nearest names, unless `name` is one of `names_of`."""
    if name not in (names := names_of(dataset)):
        raise ConfigError(nearest(name, names, "column"))


def all_parts(tested: Evaluation) -> list[Parts]:
    """By everything that tells pictures apart, each way of parting them once: no `folder` where it is `truth`."""
    found = list[Parts]()
    assert tested.dataset is not None
    for name in names_of(tested.dataset):
        parts = parts_by(tested, name)
        if parts is not None and len(parts.values) > 1 and not any(_alike(parts, other) for other in found):
            found.append(parts)
    return found


def parts_by(tested: Evaluation, name: str) -> Parts | None:
    """By one of `names_of`; a column comes before an attribute of the same name. None where it says nothing here.

    Raises ConfigError as `check_name` does.
    """
    dataset = tested.dataset
    assert dataset is not None  # of an Evaluation that looked
    check_name(dataset, name)
    if name in dataset.columns:
        column = dataset.columns[name]
        return _of_column(name, [column[row].strip() for row in tested.rows.tolist()])
    attribute = ATTRIBUTES.get(name)
    values = attribute.values(tested)
    if values is None:
        return None
    if isinstance(values, np.ndarray):
        return _of_numbers(name, values, attribute.UNIT)
    return _of_texts(name, values)


def _of_column(name: str, cells: Sequence[str]) -> Parts:
    """Texts, cut where all that are not empty are numbers, unlike classes and groups, whose numbers are names."""
    column = Repeated(cells)
    kinds = [value for value in column.values if value]
    if len(kinds) > MAX_DISTINCT and all(_NUMBER.fullmatch(value) for value in kinds):
        numbers = np.array([float(value) if value else np.nan for value in column.values])
        return _of_numbers(name, numbers[column.codes], "")
    return _of_texts(name, cells)


def _of_texts(name: str, cells: Sequence[str]) -> Parts:
    """Texts as they are, empty ones as a value of their own."""
    column = Repeated(cells)
    order = sorted(range(len(column.values)), key=lambda code: natural_key(column.values[code]))
    place = np.argsort(order)
    return Parts(name, tuple(column.values[code] or EMPTY for code in order), place[column.codes])


def _of_numbers(name: str, numbers: NDArray[np.float64], unit: str) -> Parts:
    """(n,) -> quarters; NaN, and what is not finite, is a value of its own, the last."""
    known = np.isfinite(numbers)
    distinct = np.unique(numbers[known])
    after = f" {unit}" if unit else ""
    if len(distinct) <= MAX_DISTINCT:
        codes, values = np.searchsorted(distinct, numbers), [f"{text}{after}" for text in _written(distinct)]
    else:
        cuts = np.arange(1, NUM_CUTS) / NUM_CUTS
        edges = np.unique(np.quantile(numbers[known], cuts, method="higher"))
        edges = edges[edges > distinct[0]] if edges[-1] > distinct[0] else distinct[1:2]
        codes, values = np.searchsorted(edges, numbers, side="right"), _ranges(_written(edges), after)
    if known.all():
        return Parts(name, tuple(values), codes)
    return Parts(name, (*values, EMPTY), np.where(known, codes, len(values)))


def _ranges(edges: Sequence[str], after: str) -> list[str]:
    """`under 32 pixels`, `32 to 48 pixels`, `from 48 pixels`"""
    middle = [f"{low} to {high}{after}" for low, high in pairwise(edges)]
    return [f"under {edges[0]}{after}", *middle, f"from {edges[-1]}{after}"]


def _written(values: NDArray[np.float64]) -> list[str]:
    """With three digits that count, or all before the point; with more where different ones would look alike."""
    for digits in range(3, 17):
        texts = [f"{v:.0f}" if abs(v) >= 10 ** (digits - 1) else f"{v:.{digits}g}" for v in values.tolist()]
        if len(set(texts)) == len(texts):
            return texts
    return [repr(v) for v in values.tolist()]


def _alike(one: Parts, other: Parts) -> bool:
    """Whether both part the pictures in the same way."""
    num = len(one.values)
    if num != len(other.values):
        return False
    return len(np.unique(one.codes * num + other.codes)) == num
