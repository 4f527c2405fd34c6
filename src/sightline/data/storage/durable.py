"""Files that others touch too: locks that end with their process, names that the disk has confirmed, stamps.

Must not know what is in them.
"""

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from sightline.errors import ConfigError, nearest


def try_lock(file: IO[bytes]) -> bool:
    """Whether the file could be locked. The lock goes with the file's closing or the process's end."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(1 << 40)  # far behind what will be written, which a lock would forbid others to read
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            file.seek(0)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


class Lock:
    """A file that one process holds at a time, until it lets go or ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None

    def take(self) -> bool:
        """Whether it is now held; not where another process holds it."""
        self._file = self.path.open("ab")
        if not try_lock(self._file):
            self.release()
            return False
        return True

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Write a file whole or not at all: to a neighbour first, which then takes its place."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def check_new(path: Path, endings: Iterable[str]) -> None:
    """Raise ConfigError for an ending that is none of these, and for a file that is there already."""
    if path.suffix not in (known := tuple(endings)):
        raise ConfigError(f"{path}: {nearest(path.suffix, known, 'ending')}")
    if path.exists():
        raise ConfigError(f"{path} is there already; name another file, or remove it")


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """A disk that is full names no file: let it be `path`."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def sync_folder(folder: Path) -> None:
    """Have the disk confirm a new name; a system that cannot open folders does so by itself."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def file_stamp(path: str | Path) -> str:
    """Size and times of a file. The time of the last change of its entry finds a copy that kept the other one."""
    try:
        found = os.stat(path)
    except (OSError, ValueError) as error:
        return f"unreadable: {error}"
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"
