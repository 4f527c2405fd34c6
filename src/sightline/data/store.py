"""Where files live: a folder, a zip or a tar, read in place. Comes in: a path; goes out: names and bytes.

Names are relative, with forward slashes, printable, in natural order, and listed once: a store does not
notice files that arrive later. Reading is safe from several threads. Must not know what the files contain.
"""

import os
from functools import cached_property
from pathlib import Path
from typing import IO, Protocol

from sightline.data.names import as_text, is_visible, natural_key
from sightline.errors import DataError

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


class Store(Protocol):
    """Named byte strings."""

    location: str

    def names(self) -> list[str]:
        """All file names below the root, in natural order; the caller's own list."""
        ...

    def empty_folders(self) -> list[str]:
        """Folders without a file at any depth, in natural order, as far as the store records folders."""
        ...

    def read(self, name: str) -> bytes:
        """The bytes of one file. Raises OSError if it cannot be read."""
        ...

    def open(self, name: str) -> IO[bytes]:
        """One file to seek in, with a position of its own. Raises OSError if it cannot be read.

        For files too large to hold. What is compressed inside an archive is unpacked to a temporary file first.
        """
        ...


def is_archive(path: Path) -> bool:
    return path.name.lower().endswith(ARCHIVES)


def open_store(path: Path) -> Store:
    """The folder or archive at `path`. Raises DataError if there is none or it is damaged."""
    from sightline.data.archive import TarStore, ZipStore

    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if path.is_dir():
        return FolderStore(path)
    return ZipStore(path) if path.suffix.lower() == ".zip" else TarStore(path)


class FolderStore:
    """Files below a folder; links are followed, hidden files are not listed.

    `read` takes any path that the system would find from the root, an absolute one as well.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.location = as_text(str(root))
        self._unprintable: dict[str, str] = {}  # name as listed -> as the file system has it

    def names(self) -> list[str]:
        return list(self._listing[0])

    def empty_folders(self) -> list[str]:
        return list(self._listing[1])

    def read(self, name: str) -> bytes:
        return self.read_start(name, -1)

    def read_start(self, name: str, num_bytes: int) -> bytes:
        """The first bytes of a file, all of them for -1."""
        with self.open(name) as file:
            return file.read(num_bytes)

    def open(self, name: str) -> IO[bytes]:
        try:
            return open(os.path.join(self.root, self._unprintable.get(name, name)), "rb")
        except ValueError as error:  # a NUL inside the name
            raise OSError(str(error)) from error

    @cached_property
    def _listing(self) -> tuple[list[str], list[str]]:
        files: list[str] = []
        empty: list[str] = []
        self._walk("", files, empty, above=())
        return sorted(files, key=natural_key), sorted(empty, key=natural_key)

    def _walk(self, prefix: str, files: list[str], empty: list[str], above: tuple[str, ...]) -> None:
        """Collects what lies below the folder `prefix`; `above`: the real paths of the folders around it."""
        folder = os.path.join(self.root, prefix)
        real = os.path.realpath(folder)
        if real in above:  # a link that points back up
            return
        num_before = len(files)
        try:
            with os.scandir(folder) as found:
                entries = [entry for entry in found if is_visible(entry.name)]
        except OSError as error:
            raise DataError(f"{as_text(folder)}: this folder cannot be listed: {error.strerror}") from error
        for entry in entries:
            if entry.is_dir():
                self._walk(f"{prefix}{entry.name}/", files, empty, (*above, real))
            elif entry.is_file() or entry.is_symlink():  # a dangling link is listed: its read() fails by name
                name = as_text(prefix + entry.name)
                if name != prefix + entry.name:
                    self._unprintable[name] = prefix + entry.name
                files.append(name)
        if len(files) == num_before and prefix:
            empty.append(as_text(prefix.rstrip("/")))


class FileStore:
    """One file of a folder, given by itself. `read` and `open` take any path from its folder, as its table's."""

    def __init__(self, path: Path) -> None:
        self.folder = FolderStore(path.parent)
        self.name = path.name
        self.location = self.folder.location

    def names(self) -> list[str]:
        return [self.name]

    def empty_folders(self) -> list[str]:
        return []

    def read(self, name: str) -> bytes:
        return self.folder.read(name)

    def open(self, name: str) -> IO[bytes]:
        return self.folder.open(name)


class SubStore:
    """The part of a store below `prefix` (which ends in a slash), as if it were the root."""

    def __init__(self, store: Store, prefix: str) -> None:
        self.store, self.prefix = store, prefix
        self.location = store.location

    def names(self) -> list[str]:
        return list(self._names)

    def empty_folders(self) -> list[str]:
        return self._below(self.store.empty_folders())

    def read(self, name: str) -> bytes:
        return self.store.read(self.prefix + name)

    def open(self, name: str) -> IO[bytes]:
        return self.store.open(self.prefix + name)

    @cached_property
    def _names(self) -> list[str]:
        return self._below(self.store.names())

    def _below(self, names: list[str]) -> list[str]:
        return [name.removeprefix(self.prefix) for name in names if name.startswith(self.prefix)]
