"""Shards on a server, fetched ahead to a bounded local cache. Comes in: URLs; goes out: byte ranges.

A shard of which several pictures are wanted, or that was announced, is fetched whole: one stream a shard, which is
what servers are fast at; reading goes on behind the front of the stream. Single pictures are fetched by range. What
has been fetched stays in the cache folder, for the next epoch and the next run, until newer shards need the room.
Memory: NUM_FETCHES pieces of a few megabytes. Must not know tar headers, pictures or labels.
"""

import contextlib
import itertools
import os
import shutil
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path

from sightline.data.storage.remote import NoRangesError, RemoteFile, cache_folder, describe, read_range, stream
from sightline.data.storage.user_cache import default_folder
from sightline.errors import DataError, SightlineError

MAX_CACHE_BYTES = 16 << 30  # four times the window of the shuffle (see `shards`), and shards in flight
MAX_DISK_SHARE = 0.5  # of what is free
NUM_FETCHES = 4  # at a time: one stream of an object store gives some 50 to 100 MB/s
NUM_AHEAD = 3  # shards fetched before they are asked for
NUM_SINGLE = 8  # pictures read singly from a shard before it is fetched whole
STALE_S = 3600.0  # a partial file that nobody has written to for so long was left by a process that died


class RemoteShards:
    """Shards by URL. Safe from many threads; several processes may share the cache folder."""

    def __init__(self, files: Sequence[RemoteFile], folder: Path | None = None, max_bytes: int | None = None) -> None:
        self.files = files
        self.folder = folder or cache_folder("shards")
        self.max_bytes = _room(self.folder) if max_bytes is None else max_bytes
        self._lock = threading.Lock()
        self._fetches: dict[int, _Fetch] = {}  # queued or running
        self._queue: deque[_Fetch] = deque()
        self._num_running = 0
        self._num_singly: Counter[int] = Counter()
        self._plan: list[int] = []
        self._place: dict[int, int] = {}  # shard -> where it stands in the plan
        self._visited: set[int] = set()  # places from which shards have been fetched ahead
        _remove_stale(self.folder)

    def read(self, shard: int, offset: int, size: int) -> bytes:
        file, path = self.files[shard], self._path(shard)
        self._fetch_ahead(shard)
        while True:
            with contextlib.suppress(FileNotFoundError):
                return _pread(path, offset, size, file)
            with self._lock:
                fetch, is_complete = self._wanted(shard), path.exists()
            if fetch is not None:
                return fetch.read(offset, size)
            if not is_complete:
                with contextlib.suppress(NoRangesError):  # found out just now: the whole is fetched next
                    return read_range(file, offset, size)

    def read_singly(self, shard: int, offset: int, size: int) -> bytes:
        """As `read`, for a few bytes: whole shards are fetched only from servers that give no parts."""
        file = self.files[shard]
        with contextlib.suppress(NoRangesError):
            if file.has_ranges:
                return read_range(file, offset, size)
        return self.read(shard, offset, size)

    def expect(self, shards: Sequence[int]) -> None:
        with self._lock:
            self._plan = list(shards)
            self._place = {shard: place for place, shard in enumerate(shards)}
            self._visited.clear()
        if shards:
            self._fetch_ahead(shards[0])

    def _path(self, shard: int) -> Path:
        return self.folder / f"{self.files[shard].key}.tar"

    def _wanted(self, shard: int) -> "_Fetch | None":
        """The fetch of a whole shard, begun if it is worth it; None where it is complete, or not worth it.

        The caller holds the lock. Raises DataError where a shard can be had in no way.
        """
        file, fetch = self.files[shard], self._fetches.get(shard)
        if fetch is not None:
            if fetch in self._queue:  # someone waits for it
                self._queue.remove(fetch)
                self._queue.appendleft(fetch)
            return fetch
        if self._path(shard).exists():
            return None
        self._num_singly[shard] += 1
        if not file.has_ranges and file.size > self.max_bytes:
            raise DataError(
                f"{file.name}: its server gives no parts of files, and the cache {self.folder} has room for "
                f"{self.max_bytes:,} bytes, not for the {file.size:,} of this shard; make room, or fetch it yourself"
            )
        if not file.has_ranges:
            return self._begin(shard, urgent=True)
        is_worth_it = shard in self._place or self._num_singly[shard] > NUM_SINGLE
        return self._begin(shard, urgent=True) if is_worth_it and self._fits(shard) else None

    def _fits(self, shard: int) -> bool:
        """Whether the cache has room for such shards ahead, behind and in use."""
        return self.files[shard].size <= self.max_bytes // (2 + NUM_AHEAD)

    def _fetch_ahead(self, shard: int) -> None:
        """Begin to fetch the shards that the plan has after `shard`, the first time that it is read."""
        with self._lock:
            place = self._place.get(shard)
            if place is None or place in self._visited:
                return
            self._visited.add(place)
            with contextlib.suppress(OSError):
                os.utime(self._path(shard))  # many disks keep no time of reading
            for other in self._plan[place : place + 1 + NUM_AHEAD]:
                if other not in self._fetches and self._fits(other) and not self._path(other).exists():
                    self._begin(other, urgent=other == shard)

    def _begin(self, shard: int, urgent: bool) -> "_Fetch":
        """Queue a fetch; the caller holds the lock."""
        fetch = self._fetches[shard] = _Fetch(self.files[shard], self._path(shard))
        (self._queue.appendleft if urgent else self._queue.append)(fetch)
        self._num_singly[shard] = 0
        if self._num_running < NUM_FETCHES:
            self._num_running += 1
            threading.Thread(target=self._work, daemon=True, name="shards").start()
        return fetch

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    self._num_running -= 1
                    return
                fetch = self._queue.popleft()
                in_flight = sum(f.file.size for f in self._fetches.values() if f not in self._queue)
            _make_room(self.folder, self.max_bytes - in_flight)
            fetch.run()
            with self._lock:
                for shard in [shard for shard, f in self._fetches.items() if f is fetch]:
                    del self._fetches[shard]


class _Fetch:
    """One shard on its way into the cache."""

    numbers = itertools.count()

    def __init__(self, file: RemoteFile, path: Path) -> None:
        self.file, self.path = file, path
        self._part = path.with_suffix(f".part-{os.getpid()}-{next(self.numbers)}")
        self._num_bytes = 0
        self._error: Exception | None = None
        self._arrived = threading.Condition()

    def read(self, offset: int, size: int) -> bytes:
        """Waits until the range has arrived. Raises DataError where the fetch failed."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._error is not None or self._num_bytes >= offset + size)
            if self._num_bytes < offset + size and self._error is not None:
                if isinstance(self._error, SightlineError):
                    raise type(self._error)(str(self._error)) from self._error
                raise self._error
            for path in (self._part, self.path):  # it is renamed when complete, under this lock
                with contextlib.suppress(FileNotFoundError):
                    return _pread(path, offset, size, self.file)
        return read_range(self.file, offset, size)  # complete, and already gone to make room

    def run(self) -> None:
        try:
            self._check_version()
            with self._part.open("wb") as target:
                for data in stream(self.file):
                    target.write(data)
                    target.flush()
                    self._advance(len(data))
            with self._arrived:
                self._part.replace(self.path)
        except Exception as error:  # handed to whoever waits
            with self._arrived:
                self._error = _no_room(error, self.path.parent)
                self._arrived.notify_all()
            with contextlib.suppress(OSError):
                self._part.unlink()

    def _advance(self, num_bytes: int) -> None:
        with self._arrived:
            self._num_bytes += num_bytes
            self._arrived.notify_all()

    def _check_version(self) -> None:
        now = describe(self.file.url)
        if (now.size, now.version) != (self.file.size, self.file.version):
            raise DataError(
                f"{self.file.name}: it has changed since it was opened (from {self.file.size:,} bytes to "
                f"{now.size:,}); start again"
            )


def _pread(path: Path, offset: int, size: int, file: RemoteFile) -> bytes:
    with path.open("rb", buffering=0) as local:
        local.seek(offset)
        data = local.read(size)
    if len(data) != size:
        raise DataError(f"{file.name}, bytes {offset:,} to {offset + size:,}: damaged in the cache; remove {path}")
    return data


def _no_room(error: Exception, folder: Path) -> Exception:
    if isinstance(error, OSError):
        return DataError(f"{folder}: shards cannot be kept there: {error.strerror or error}")
    return error


def kept() -> list[Path]:
    """Shards of servers, and their lists of members, that lie in the user's cache."""
    place = default_folder()
    return [*sorted((place / "shards").glob("*.tar")), *sorted((place / "shard-index").glob("*.json"))]


def _room(folder: Path) -> int:
    used = sum(path.stat().st_size for path in folder.glob("*.tar"))
    return int(min(MAX_CACHE_BYTES, used + MAX_DISK_SHARE * shutil.disk_usage(folder).free))


def _make_room(folder: Path, max_bytes: int) -> None:
    """Remove the shards that were read longest ago until the rest takes at most `max_bytes`."""
    found = []
    for path in folder.glob("*.tar"):
        with contextlib.suppress(OSError):  # another process made room
            found.append((path.stat().st_mtime, path.stat().st_size, path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= max_bytes:
            return
        with contextlib.suppress(OSError):
            path.unlink()
        total -= size


def _remove_stale(folder: Path) -> None:
    for path in folder.glob("*.part-*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > STALE_S:
                path.unlink()
