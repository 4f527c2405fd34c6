"""Byte ranges of open files. Comes in: a file; goes out: any part of it, safe from many threads.

Must not know what the bytes mean.
"""

import errno
import io
import os
import threading
import weakref
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Ranges:
    """Byte ranges of one open file, which is closed when this goes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._lock = threading.Lock()
        weakref.finalize(self, file.close)

    def read(self, offset: int, size: int) -> bytes:
        if hasattr(os, "pread"):  # Windows has none, and no fork either
            return os.pread(self._file.fileno(), size, offset)
        with self._lock:
            self._file.seek(offset)
            return self._file.read(size)


class Range(io.RawIOBase):
    """One byte range as a file to read and seek in."""

    def __init__(self, ranges: Ranges, start: int, size: int) -> None:
        self._ranges, self._start, self._size = ranges, start, size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if origin + offset < 0:
            raise OSError(errno.EINVAL, "before the start of the file")
        self._position = origin + offset
        return self._position

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer).cast("B")
        wanted = min(len(view), max(0, self._size - self._position))
        data = self._ranges.read(self._start + self._position, wanted)
        if wanted and not data:
            raise OSError("the archive ends inside this file")
        view[: len(data)] = data
        self._position += len(data)
        return len(data)
