"""Where files live: a folder, a zip or a tar, read in place. Comes in: a path; goes out: names and bytes.

Names are relative, with forward slashes, printable, in natural order, and listed once: a store does not
notice files that arrive later. Reading is safe from several threads. Must not know what the files contain.
"""

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import IO, Protocol

from sightline.data.storage.durable import file_stamp
from sightline.data.storage.names import Names, as_text, is_visible
from sightline.errors import DataError

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


class Store(Protocol):
    """Named byte strings."""

    location: str

    def names(self) -> Names:
        """All file names below the root, in natural order."""
        ...

    def empty_folders(self) -> Names:
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

    def stamp(self, name: str) -> str:
        """A text that is another one as soon as the file is: its size and times, or those of the archive around it."""
        ...


def is_archive(path: Path) -> bool:
    return path.name.lower().endswith(ARCHIVES)


def open_store(path: Path) -> Store:
    """The folder or archive at `path`. Raises DataError if there is none or it is damaged."""
    from sightline.data.storage.tar_store import TarStore
    from sightline.data.storage.zip_store import ZipStore

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

    def names(self) -> Names:
        return self._listing[0]

    def empty_folders(self) -> Names:
        return self._listing[1]

    def read(self, name: str) -> bytes:
        with self.open(name) as file:
            return file.read()

    def open(self, name: str) -> IO[bytes]:
        try:
            return open(os.path.join(self.root, self._unprintable.get(name, name)), "rb")
        except ValueError as error:  # a NUL inside the name
            raise OSError(str(error)) from error

    def stamp(self, name: str) -> str:
        return file_stamp(os.path.join(self.root, self._unprintable.get(name, name)))

    @cached_property
    def _listing(self) -> tuple[Names, Names]:
        empty: list[str] = []
        files = Names(self._walk("", empty, above=())).sorted()
        return files, Names(empty).sorted()

    def _walk(self, prefix: str, empty: list[str], above: tuple[str, ...]) -> Iterator[str]:
        """The files below the folder `prefix`; `above`: the real paths of the folders around it."""
        folder = os.path.join(self.root, prefix)
        real = os.path.realpath(folder)
        if real in above:  # a link that points back up
            return
        is_empty = True
        for entry in _visible_entries(folder):
            if entry.is_dir():
                for name in self._walk(f"{prefix}{entry.name}/", empty, (*above, real)):
                    is_empty = False
                    yield name
            elif entry.is_file() or entry.is_symlink():  # a dangling link is listed: its read() fails by name
                name = as_text(prefix + entry.name)
                if name != prefix + entry.name:
                    self._unprintable[name] = prefix + entry.name
                is_empty = False
                yield name
        if is_empty and prefix:
            empty.append(as_text(prefix.rstrip("/")))


class FileStore:
    """One file of a folder, given by itself. `read` and `open` take any path from its folder, as its table's."""

    def __init__(self, path: Path) -> None:
        self.folder = FolderStore(path.parent)
        self.name = path.name
        self.location = self.folder.location

    def names(self) -> Names:
        return Names([self.name])

    def empty_folders(self) -> Names:
        return Names()

    def read(self, name: str) -> bytes:
        return self.folder.read(name)

    def open(self, name: str) -> IO[bytes]:
        return self.folder.open(name)

    def stamp(self, name: str) -> str:
        return self.folder.stamp(name)


class SubStore:
    """The part of a store below `prefix` (which ends in a slash), as if it were the root."""

    def __init__(self, store: Store, prefix: str) -> None:
        self.store, self.prefix = store, prefix
        self.location = store.location

    def names(self) -> Names:
        return self._names

    def empty_folders(self) -> Names:
        return self.store.empty_folders().without_prefix(self.prefix)

    def read(self, name: str) -> bytes:
        return self.store.read(self.prefix + name)

    def open(self, name: str) -> IO[bytes]:
        return self.store.open(self.prefix + name)

    def stamp(self, name: str) -> str:
        return self.store.stamp(self.prefix + name)

    @cached_property
    def _names(self) -> Names:
        return self.store.names().without_prefix(self.prefix)


def _visible_entries(folder: str) -> Iterator["os.DirEntry[str]"]:
    """One by one, for a folder may hold a million. Raises DataError if it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            yield from (entry for entry in entries if is_visible(entry.name))
    except OSError as error:
        raise DataError(f"{as_text(folder)}: this folder cannot be listed: {error.strerror}") from error
