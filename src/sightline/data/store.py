"""Where files live: a folder, a zip or a tar, read in place. Comes in: a path; goes out: names and their bytes.

Names are relative, with forward slashes, in natural order. Reading is safe from several threads.
Must not know what the files contain.
"""

import contextlib
import os
import tarfile
import tempfile
import threading
import zipfile
import zlib
from pathlib import Path
from typing import Protocol

from sightline.errors import DataError

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
# Left behind by operating systems; not the user's pictures, so passed over without a word.
JUNK = ("__MACOSX", "Thumbs.db", "desktop.ini")


class Store(Protocol):
    """Named byte strings."""

    location: str

    def names(self) -> list[str]:
        """All file names below the root, in natural order."""
        ...

    def read(self, name: str) -> bytes:
        """The bytes of one file. Raises OSError if it cannot be read."""
        ...


def is_archive(path: Path) -> bool:
    return path.name.lower().endswith(ARCHIVES)


def open_store(path: Path) -> Store:
    """The folder or archive at `path`. Raises DataError if there is none or it is damaged."""
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if path.is_dir():
        return FolderStore(path)
    try:
        store: Store = ZipStore(path) if path.suffix.lower() == ".zip" else TarStore(path)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataError(f"{path} is not a readable archive: {error}") from error
    return store


def _visible(name: str) -> bool:
    parts = name.split("/")
    return not any(p.startswith(".") or p in JUNK for p in parts)


def _sorted(names: list[str]) -> list[str]:
    from sightline.data.dataset import natural_key

    return sorted(names, key=natural_key)


class FolderStore:
    """Files below a folder; links to folders are followed, hidden files are not listed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.location = str(root)

    def names(self) -> list[str]:
        found = []
        seen = set()
        for folder, folders, files in os.walk(self.root, followlinks=True):
            real = os.path.realpath(folder)
            if real in seen:  # a link that points back up
                folders.clear()
                continue
            seen.add(real)
            base = Path(folder).relative_to(self.root).as_posix()
            prefix = "" if base == "." else base + "/"
            found += [prefix + file for file in files if _visible(prefix + file)]
        return _sorted(found)

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()


class ZipStore:
    """Members of a zip file; each thread has a handle of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.location = str(path)
        self._local = threading.local()
        with zipfile.ZipFile(path) as archive:
            self._names = [i.filename for i in archive.infolist() if not i.is_dir() and _visible(i.filename)]

    def names(self) -> list[str]:
        return _sorted(self._names)

    def read(self, name: str) -> bytes:
        if not hasattr(self._local, "archive"):  # the first read of this thread
            self._local.archive = zipfile.ZipFile(self.path)
        archive: zipfile.ZipFile = self._local.archive
        try:
            return archive.read(name)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:  # RuntimeError: encrypted
            raise OSError(f"damaged in the archive: {error}") from error


class TarStore:
    """Members of a tar file, by their byte ranges. A compressed one is unpacked once to an unnamed temporary file."""

    def __init__(self, path: Path) -> None:
        self.location = str(path)
        self._lock = threading.Lock()
        with contextlib.ExitStack() as stack:
            archive = stack.enter_context(tarfile.open(path))
            members = [m for m in archive if m.isfile() and _visible(m.name)]
            if type(archive.fileobj).__name__ == "ExFileObject" or path.suffix.lower() == ".tar":
                self._file = path.open("rb")
                self._ranges = {m.name: (m.offset_data, m.size) for m in members}
            else:
                self._file, self._ranges = self._unpack(archive, members)

    @staticmethod
    def _unpack(archive: tarfile.TarFile, members: list[tarfile.TarInfo]) -> tuple:  # type: ignore[type-arg]
        file, ranges = tempfile.TemporaryFile(), {}
        for member in members:
            extracted = archive.extractfile(member)
            assert extracted is not None, "isfile() members have data"
            ranges[member.name] = (file.tell(), member.size)
            file.write(extracted.read())
        file.flush()
        return file, ranges

    def names(self) -> list[str]:
        return _sorted(list(self._ranges))

    def read(self, name: str) -> bytes:
        offset, size = self._ranges[name]
        with self._lock:
            self._file.seek(offset)
            data = self._file.read(size)
        if len(data) != size:
            raise OSError("the archive ends inside this file")
        return data


class SubStore:
    """The part of a store below `prefix`, as if it were the root."""

    def __init__(self, store: Store, prefix: str) -> None:
        self.store, self.prefix = store, prefix
        self.location = store.location

    def names(self) -> list[str]:
        return [n.removeprefix(self.prefix) for n in self.store.names() if n.startswith(self.prefix)]

    def read(self, name: str) -> bytes:
        return self.store.read(self.prefix + name)
