"""Pictures inside Parquet files, read when asked. Comes in: files, their row groups; goes out: encoded pictures.

Memory stays flat: a row group is decoded at a time and a few are kept; one larger than MAX_GROUP_BYTES is unpacked
once, page by page, to an unnamed temporary file. Safe from threads. Must not know labels or splits.
"""

import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any  # Any: pyarrow has no types

import numpy as np
from numpy.typing import NDArray

from sightline.data.dataset import EncodedImages
from sightline.data.decode import PictureError
from sightline.data.formats._table import parquet_file
from sightline.data.storage.archive import reason_of
from sightline.data.storage.order import Layout
from sightline.data.storage.store import Store
from sightline.errors import DataError

MAX_GROUP_BYTES = 64 << 20  # Hugging Face writes row groups of 100 pictures, some 10 MB
CACHE_BYTES = 512 << 20
WINDOW_BYTES = CACHE_BYTES // 3  # how far a picture moves in the shuffle: those in use span twice this and two groups
NUM_OPEN = 32  # files held open
BATCH_ROWS = 16  # of a large row group, at a time


@dataclass(frozen=True)
class ParquetFile:
    """One file: its name in the store, and row counts and unpacked bytes of its row groups."""

    name: str
    group_rows: tuple[int, ...]
    group_bytes: tuple[int, ...]


class ParquetImages(EncodedImages):
    """`column`: the leaf that holds the encoded pictures, such as `image.bytes`. `rows` (N,): which of all rows."""

    def __init__(self, store: Store, files: Sequence[ParquetFile], column: str, rows: NDArray[np.int64]) -> None:
        self.store, self.files, self.column, self.rows = store, files, column, rows
        self._groups = [(file, group) for file in range(len(files)) for group in range(len(files[file].group_rows))]
        sizes = [files[file].group_rows[group] for file, group in self._groups]
        self._starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        self._lock = threading.Lock()
        self._file_locks = [threading.Lock() for _ in files]
        self._open: OrderedDict[int, _OpenFile] = OrderedDict()
        self._cache: OrderedDict[int, _Group] = OrderedDict()

    def __len__(self) -> int:
        return len(self.rows)

    def encoded(self, row: int) -> bytes:
        position = int(self.rows[row])
        index = int(np.searchsorted(self._starts, position, side="right")) - 1
        data = self._group(index).picture(position - int(self._starts[index]))
        if data is None:
            raise PictureError("no bytes in the Parquet file, at most a path; write the files with pictures inside")
        return data

    def order(self, seed: int, epoch: int, rows: NDArray[np.intp], part: tuple[int, int]) -> NDArray[np.intp]:
        """`rows` in the order of an epoch: row groups one after the other, and mixed; each is decoded about once."""
        group = np.searchsorted(self._starts, self.rows, side="right") - 1
        sizes = np.array([self.files[f].group_bytes[g] // max(1, self.files[f].group_rows[g]) for f, g in self._groups])
        return Layout(group, self.rows, sizes[group], WINDOW_BYTES).order(seed, epoch, rows, part)

    def expect(self, rows: NDArray[np.intp]) -> None:
        """Nothing: a row group is read when its first picture is asked for."""

    def _group(self, index: int) -> "_Group":
        """One decoded row group; a second thread that wants it waits for the first."""
        if (cached := self._cached(index)) is not None:
            return cached
        file, group = self._groups[index]
        with self._file_locks[file]:
            if (cached := self._cached(index)) is not None:
                return cached
            with self._errors(file, group):
                opened = self._opened(file)
                large = self.files[file].group_bytes[group] > MAX_GROUP_BYTES
                found = (_unpacked if large else _held)(opened.parquet, group, self.column)
                if len(found) != self.files[file].group_rows[group]:
                    raise DataError(f"{len(found):,} pictures for {self.files[file].group_rows[group]:,} rows")
        with self._lock:
            self._cache[index] = found
            while len(self._cache) > 1 and sum(g.num_bytes for g in self._cache.values()) > CACHE_BYTES:
                oldest = next(i for i, g in self._cache.items() if g.num_bytes)
                if oldest == index:
                    break
                del self._cache[oldest]
        return found

    def _cached(self, index: int) -> "_Group | None":
        with self._lock:
            found = self._cache.get(index)
            if found is not None:
                self._cache.move_to_end(index)
            return found

    def _opened(self, file: int) -> "_OpenFile":
        """The open file; its own lock is held. One that is out of use is closed when its last reader lets go."""
        with self._lock:
            if file in self._open:
                self._open.move_to_end(file)
                return self._open[file]
        opened = _OpenFile(self.store, self.files[file].name)
        with self._lock:
            self._open[file] = opened
            while len(self._open) > NUM_OPEN:
                self._open.popitem(last=False)
        return opened

    @contextmanager
    def _errors(self, file: int, group: int) -> Iterator[None]:
        """Damage inside a row group is the fault of its pictures, so that all that cannot be read are listed."""
        try:
            yield
        except Exception as error:  # pyarrow's own are of nearly every type
            raise PictureError(f"damaged in {self.files[file].name}, row group {group}: {reason_of(error)}") from error


class _OpenFile:
    """A file and pyarrow's reader of it, closed when this goes."""

    def __init__(self, store: Store, name: str) -> None:
        handle = store.open(name)
        weakref.finalize(self, handle.close)
        self.parquet = parquet_file(handle, f"{store.location}/{name}")


class _Group:
    """The pictures of one row group, in memory or in a temporary file.

    num_bytes  of memory; 0 where they lie in a file, which costs next to none and is kept
    """

    def __init__(self, arrays: Sequence[Any], file: IO[bytes] | None, offsets: NDArray[np.int64]) -> None:
        self._arrays, self._file, self._offsets = arrays, file, offsets
        self._ends = np.cumsum([len(array) for array in arrays])
        self._lock = threading.Lock()
        if file is not None:
            weakref.finalize(self, file.close)
        self.num_bytes = sum(int(array.nbytes) for array in arrays)

    def __len__(self) -> int:
        return len(self._offsets) if self._file is not None else sum(map(len, self._arrays))

    def picture(self, row: int) -> bytes | None:
        if self._file is None:
            chunk = int(np.searchsorted(self._ends, row, side="right"))
            start = int(self._ends[chunk - 1]) if chunk else 0
            data: bytes | None = self._arrays[chunk][row - start].as_py()
            return data
        start, end = (int(v) for v in self._offsets[row])
        if start < 0:
            return None
        with self._lock:
            self._file.seek(start)
            return self._file.read(end - start)


def _held(parquet: Any, group: int, column: str) -> _Group:
    chunks = parquet.read_row_group(group, columns=[column], use_threads=False).column(0).chunks
    return _Group([_leaf(chunk) for chunk in chunks], None, np.zeros((0, 2), np.int64))


def _unpacked(parquet: Any, group: int, column: str) -> _Group:
    """Offsets (N, 2) into a temporary file, start and end; -1 where there is no picture."""
    file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed with the last that holds the group
    offsets: list[tuple[int, int]] = []
    end = 0
    try:
        for batch in parquet.iter_batches(BATCH_ROWS, row_groups=[group], columns=[column], use_threads=False):
            for data in _leaf(batch.column(0)).to_pylist():
                file.write(data or b"")
                offsets.append((end if data is not None else -1, end := end + len(data or b"")))
        file.flush()
    except BaseException:
        file.close()
        raise
    return _Group((), file, np.array(offsets, np.int64).reshape(-1, 2))


def _leaf(array: Any) -> Any:
    """struct<bytes> -> its one field, absent where the struct is; binary as it is."""
    import pyarrow

    return array.flatten()[0] if pyarrow.types.is_struct(array.type) else array
