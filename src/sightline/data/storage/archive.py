"""What zip and tar files share as stores. Comes in: the path of an archive, its members; goes out: members by name.

The index is read once; after that a member is one read of a byte range that shares no position, so threads
and forked processes do not disturb each other. Must not know what the members contain.
"""

import bz2
import contextlib
import errno
import gzip
import lzma
import posixpath
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from sightline.data.storage.durable import file_stamp
from sightline.data.storage.names import Names, as_text
from sightline.errors import DataError

MAX_DEFLATE_RATIO = 1032  # what one byte of DEFLATE can become at most
MAX_REASON = 300  # characters of another library's message


class Members:
    """Name -> what is known of a member, in a row of an array each; of a name that occurs twice, the last."""

    def __init__(self, names: Names, rows: NDArray[Any]) -> None:
        order = names.natural_order()
        ordered = names.take(order)
        twice = {a for a, b in pairwise(ordered) if a == b}
        if twice:
            last = {name: i for i, name in enumerate(ordered) if name in twice}
            keep = np.array([name not in last or last[name] == i for i, name in enumerate(ordered)])
            order, ordered = order[keep], ordered.take(np.flatnonzero(keep))
        self.names, self.rows = ordered, rows[order]

    def of(self, name: str) -> Any:
        """Its row. Raises FileNotFoundError."""
        position = self.names.find(name)
        if position is None:
            raise FileNotFoundError(f"no such file in the archive: {name}")
        return self.rows[position]


class Archive:
    """What both kinds know of their members."""

    _members: Members
    _folders: list[str]

    def __init__(self, path: Path) -> None:
        self.path = path
        self.location = as_text(str(path))
        self._stamp = file_stamp(path)

    def names(self) -> Names:
        return self._members.names

    def empty_folders(self) -> Names:
        return _without_files(self._folders, self._members.names)

    def stamp(self, name: str) -> str:
        return self._stamp


@contextlib.contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # zipfile, tarfile and what unpacks for them raise nearly every type on damaged files
        raise DataError(
            f"{as_text(str(path))} is not a readable archive ({reason_of(error)}). Fetch it again, or unpack it "
            "yourself and give the folder."
        ) from error


@contextlib.contextmanager
def damage() -> Iterator[None]:
    """Any error about a member as an OSError."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # bz2's, of damaged data
            raise OSError(f"damaged in the archive: {reason_of(error)}") from error
        raise
    except MemoryError as error:
        raise OSError(errno.ENOMEM, "not enough memory to unpack it") from error
    except Exception as error:  # see plain_errors
        raise OSError(f"damaged in the archive: {reason_of(error)}") from error


def reason_of(error: Exception) -> str:
    """Its text, which may quote any bytes of the file and all of a long name."""
    return as_text(str(error) or type(error).__name__)[:MAX_REASON]


def unpacked(packed: IO[bytes] | gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile) -> IO[bytes]:
    """An unnamed temporary file with all that `packed` holds, open at its start."""
    file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed by the caller, or here
    try:
        shutil.copyfileobj(packed, file, 1 << 20)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _without_files(folders: Iterable[str], names: Iterable[str]) -> Names:
    """Those folders that hold no file at any depth."""
    filled = set()
    for name in names:
        while (name := posixpath.dirname(name)) and name not in filled:
            filled.add(name)
    return Names({f for f in folders if f not in filled}).sorted()
