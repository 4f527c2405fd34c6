"""Pictures by their names alone: a file's, an address that fsspec knows, or a file's inside an archive, which is named
as if that were a folder (`photos.zip/ants/1.jpg`). Comes in: names; goes out: bytes, and the files that a name stands
for. Must not know pictures' contents, nor who asks.
"""

import contextlib
import io
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import IO, TypeVar

from sightline.data.storage import remote
from sightline.data.storage.durable import file_stamp
from sightline.data.storage.names import Names
from sightline.data.storage.remote import is_url
from sightline.data.storage.store import Store, is_archive, open_store
from sightline.errors import DataError

AHEAD = 16  # files of servers on their way: at 50 ms each, 320 a second
T = TypeVar("T")

_opening = threading.Lock()


def read_named(name: str) -> bytes:
    """Raises OSError where there is no such file or it may not be read, DataError where a server does not answer."""
    if is_url(name):
        return remote.read_file(name)
    try:
        return Path(name).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        try:
            found = _in_archive(name)
        except DataError as error:  # of this picture's archive, and none of the others' business
            raise OSError(str(error)) from error
        if found is None:
            raise FileNotFoundError(2, "no such file", name) from None
        archive, member = found
        return archive.read(member)


def open_named(name: str) -> IO[bytes]:
    """To seek in. Raises as `read_named` does."""
    if not is_url(name):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return Path(name).open("rb")
    return io.BytesIO(read_named(name))


def fetched(items: Iterable[T], url_of: Callable[[T], str | None]) -> Iterator[tuple[T, Future[bytes] | None]]:
    """Items in order; with one that has an address, by `url_of`, what will be its bytes: AHEAD are on their way."""
    with ThreadPoolExecutor(AHEAD) as pool:
        waiting = deque[tuple[T, Future[bytes] | None]]()
        try:
            for item in items:
                url = url_of(item)
                waiting.append((item, None if url is None else pool.submit(read_named, url)))
                if len(waiting) > AHEAD or waiting[0][1] is None:
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()
        except BaseException:  # also where nobody asks any more: a server that fails is not asked for all of them
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def files_in(name: str) -> Iterator[str] | None:
    """Every file of an archive, or below an address that ends in a slash or has a star, by its name, in order.

    None where the name is one file's, or a folder's. Raises DataError where they cannot be listed.
    """
    if is_url(name):
        if "*" in name:
            return iter(remote.listed(name))
        return iter(remote.files_below(name)) if remote.is_folder(name) else None
    path = Path(name)
    if not is_archive(path) or not path.is_file():
        return None
    return (f"{name}/{member}" for member in _archive(path).names())


class RemoteStore:
    """Files beside each other on a server, read whole; they are not listed."""

    def __init__(self, location: str) -> None:
        self.location = location

    def names(self) -> Names:
        return Names()

    def empty_folders(self) -> Names:
        return Names()

    def read(self, name: str) -> bytes:
        return remote.read_file(f"{self.location}/{name}")

    def open(self, name: str) -> IO[bytes]:
        return io.BytesIO(self.read(name))

    def stamp(self, name: str) -> str:
        return remote.describe(f"{self.location}/{name}").version


def _in_archive(name: str) -> tuple[Store, str] | None:
    """The archive that a name leads through, and the rest of it."""
    for folder in Path(name).parents:
        if is_archive(folder) and folder.is_file():
            return _archive(folder), Path(name).relative_to(folder).as_posix()
    return None


def _archive(path: Path) -> Store:
    with _opening:  # one thread reads the index, the others wait for it
        return _opened(path, file_stamp(path))


@lru_cache(4)
def _opened(path: Path, stamp: str) -> Store:
    return open_store(path)
