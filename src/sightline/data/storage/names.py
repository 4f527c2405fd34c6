"""File names as text. Comes in: names as a disk or an archive has them; goes out: names to sort, keep and show.

A million names as Python strings take 100 MB and more; `Names` keeps them in 30, and `Repeated` keeps a column of few
distinct texts in a byte a row. Must not know where files live or what they contain.
"""

import heapq
import operator
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

# Left behind by operating systems; not the user's pictures, so passed over without a word.
JUNK = ("__MACOSX", "Thumbs.db", "desktop.ini")
CHUNK = 16_384  # names that are Python strings at any one time

MAX_DIGITS = 4000  # of a number in a name; Python converts no more than 4,300, for the time that it takes

_DIGITS = re.compile(r"(\d+)")
_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # the other lone surrogates each stand for a byte


class Names(Sequence[str]):
    """Many texts in little memory: all of them one block of UTF-8, with a start and an end each.

    A selection (`take`, a slice, `without_prefix`) shares the block.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        block, ends = bytearray(), array("Q")
        for name in names:
            block += name.encode("utf-8", "surrogatepass")
            ends.append(len(block))
        offsets = np.concatenate([[0], np.frombuffer(ends, np.uint64)]).astype(_offset_type(len(block)))
        self._set(bytes(block), offsets[:-1], offsets[1:])

    def _set(self, block: bytes, starts: NDArray[Any], ends: NDArray[Any]) -> None:
        self._block, self._starts, self._ends = block, starts, ends
        self._by_hash: tuple[NDArray[np.int64], NDArray[np.uint32]] | None = None

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> "Names": ...
    def __getitem__(self, row: "int | slice") -> "str | Names":
        if isinstance(row, slice):
            return self._selected(self._starts[row], self._ends[row])
        row = operator.index(row)
        return self._block[self._starts[row] : self._ends[row]].decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        for first in range(0, len(self), CHUNK):
            some = slice(first, first + CHUNK)
            for start, end in zip(self._starts[some].tolist(), self._ends[some].tolist(), strict=True):
                yield self._block[start:end].decode("utf-8", "surrogatepass")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # as of a list

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.find(name) is not None

    def __repr__(self) -> str:
        return f"Names({len(self)}: {', '.join(self[:3])}{', ...' if len(self) > 3 else ''})"

    def take(self, rows: NDArray[np.intp]) -> "Names":
        """Those at the positions `rows`, in that order."""
        return self._selected(self._starts[rows], self._ends[rows])

    def without_prefix(self, prefix: str) -> "Names":
        """Those that begin with `prefix`, less the prefix."""
        rows = np.fromiter((name.startswith(prefix) for name in self), bool, len(self))
        length = len(prefix.encode("utf-8", "surrogatepass"))
        return self._selected(self._starts[rows] + self._starts.dtype.type(length), self._ends[rows])

    def find(self, name: str) -> int | None:
        """The position of `name` (the last, if it occurs more than once), or None. Quick from the second call on."""
        if self._by_hash is None:
            hashes = np.fromiter(map(hash, self), np.int64, len(self))
            order = np.argsort(hashes, kind="stable").astype(np.uint32)
            self._by_hash = hashes[order], order
        hashes, order = self._by_hash
        wanted = np.int64(hash(name))
        found = [int(row) for row in order[hashes.searchsorted(wanted) : hashes.searchsorted(wanted, "right")]]
        return next((row for row in reversed(found) if self[row] == name), None)

    def natural_order(self) -> NDArray[np.intp]:
        """The positions (N,) that put them into natural order; the same as sorting by `natural_key`, in little memory.

        Runs are sorted by themselves and merged, so that only some of the keys, which are large, exist at a time.
        """
        numbered = enumerate(self)
        runs = []
        while run := list(islice(numbered, CHUNK)):
            run.sort(key=lambda item: natural_key(item[1]))
            runs.append(np.array([row for row, _ in run], np.intp))
        if len(runs) < 2:
            return runs[0] if runs else np.zeros(0, np.intp)
        merged = heapq.merge(*(zip(map(natural_key, self.take(run)), run.tolist(), strict=True) for run in runs))
        return np.fromiter((row for _, row in merged), np.intp, len(self))

    def sorted(self) -> "Names":
        """In natural order."""
        return self.take(self.natural_order())

    def _selected(self, starts: NDArray[Any], ends: NDArray[Any]) -> "Names":
        selected = Names.__new__(Names)
        selected._set(self._block, starts, ends)
        return selected


class Repeated(Sequence[str]):
    """A column of few distinct texts, a small number a row: splits, groups, labels."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        number: dict[str, int] = {}
        codes = array("L", (number.setdefault(text, len(number)) for text in texts))
        self.values = tuple(number)
        self.codes: NDArray[Any] = np.frombuffer(codes, f"u{codes.itemsize}").astype(np.min_scalar_type(len(number)))

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> "Repeated": ...
    def __getitem__(self, row: "int | slice") -> "str | Repeated":
        if isinstance(row, slice):
            return self._selected(self.codes[row])
        return self.values[int(self.codes[operator.index(row)])]

    def __iter__(self) -> Iterator[str]:
        for first in range(0, len(self), CHUNK):
            yield from (self.values[code] for code in self.codes[first : first + CHUNK].tolist())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # as of a list

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(np.array(self.values, dtype=dtype)[self.codes])

    def take(self, rows: NDArray[np.intp]) -> "Repeated":
        """Those at the positions `rows`, in that order."""
        return self._selected(self.codes[rows])

    def _selected(self, codes: NDArray[Any]) -> "Repeated":
        selected = Repeated.__new__(Repeated)
        selected.values, selected.codes = self.values, codes
        return selected


def _offset_type(num_bytes: int) -> type[np.uint32] | type[np.uint64]:
    return np.uint32 if num_bytes < 2**32 else np.uint64


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Sort key by which `class_2` stands before `class_10`; ties are broken by the text itself."""
    parts = _DIGITS.split(name)  # text and digits by turns, text first
    key: list[str | int] = list(parts)
    key[1::2] = map(_number, parts[1::2])
    return key, name


def _number(digits: str) -> int:
    """The number; past MAX_DIGITS one that is larger than all of these, and grows with the length."""
    return int(digits) if len(digits) <= MAX_DIGITS else 1 << 4 * len(digits)


def is_visible(name: str) -> bool:
    """False for hidden files, and for what operating systems leave behind, anywhere along the path."""
    return not any(part.startswith(".") or part in JUNK for part in name.split("/"))


def as_text(name: str) -> str:
    r"""A name that can be printed and written: bytes that are not UTF-8, which Python keeps as lone
    surrogates, become `\xe9`; other lone surrogates, as JSON may have them, `\ud800`."""
    if is_text(name):
        return name
    name = _NO_BYTE.sub(lambda found: f"\\u{ord(found[0]):x}", name)
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def is_text(name: str) -> bool:
    """False for lone surrogates, which can be neither printed nor written."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
