"""The folder of decoded pictures. Comes in: what is to be kept, under a key; goes out: a pack that holds it.

Everything in it can be made again, so it may be cleared at any time. It is bounded: what was not used for longest goes
first. Several processes may share it: one that is writing holds a lock on its unfinished file, which the system lets
go of when the process dies, however it dies. Where the folder cannot be written or the disk is full, nothing is kept,
which is said, and all else goes on. Must not know what pictures are, or how they are decoded.
"""

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from numpy.typing import NDArray

from sightline.data.packs.pack import Pack, PackError, PackWriter, facts_of
from sightline.data.preprocess import Pixels
from sightline.data.storage.durable import sync_folder, try_lock
from sightline.data.storage.user_cache import default_folder
from sightline.errors import ConfigError

BYTES_VARIABLE = "SIGHTLINE_CACHE_BYTES"
DISK_SHARE = 0.25  # of what is free on the disk, the cache's own bytes counted as free
PACK, UNFINISHED, NOTE = ".pack", ".part", ".json"
ROW_BYTES = 256  # of a row besides its canvas, at most: what is recorded of the picture, where it lies
STEP_BYTES = 1 << 26  # a pack that grows looks for room again after so much
POLL_S = 0.2
STALLED_S = 30.0  # a file that has not grown for so long is not worth waiting for


@dataclass(frozen=True)
class Key:
    """What something is kept under: a readable name, and a hash of all that it depends on."""

    name: str
    digest: str

    @property
    def stem(self) -> str:
        return f"{self.name}-{self.digest}"


@dataclass(frozen=True)
class Entry:
    """Something in the cache. `facts`: of a pack, what was said of it; empty where it is damaged or no pack."""

    path: Path
    num_bytes: int
    used_s: float  # when it was last used, seconds since 1970
    facts: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.path.stem


@dataclass(frozen=True)
class Cache:
    """The cache in `folder`, of at most `max_bytes`; `say` is told what a user should know."""

    folder: Path
    max_bytes: int
    say: Callable[[str], None]

    @staticmethod
    def default(say: Callable[[str], None]) -> "Cache":
        """The user's own. Raises ConfigError for a bound that is no number."""
        folder = default_folder()
        return Cache(folder, bound(folder), say)

    def entries(self) -> list[Entry]:
        """What is in it, the last used first."""
        found = []
        for path in self._paths():
            with contextlib.suppress(OSError):  # another process has just cleared it
                status, facts = path.stat(), {}
                if path.suffix == PACK:
                    with contextlib.suppress(PackError):
                        facts = facts_of(path)
                found.append(Entry(path, status.st_size, status.st_mtime, facts))
        return sorted(found, key=lambda entry: -entry.used_s)

    def clear(self, names: "list[str] | None" = None) -> list[Entry]:
        """Remove all entries, or those named; also what dead processes left. Returns what was removed."""
        self._sweep()
        gone = [entry for entry in self.entries() if names is None or entry.name in names]
        for entry in gone:
            entry.path.unlink(missing_ok=True)
        return gone

    def recall(self, key: Key) -> dict[str, Any] | None:
        """A note that `remember` left, or None."""
        path = self.folder / (key.stem + NOTE)
        try:
            found = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            return None
        _touch(path)
        return found if isinstance(found, dict) else None

    def remember(self, key: Key, note: Mapping[str, object]) -> None:
        """Keep a small note, of plain values. Where that fails, it is not kept; a pack that fails as well says why."""
        path = self.folder / (key.stem + NOTE)
        temporary = path.with_name(f"{path.name}.{os.getpid()}{UNFINISHED}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary.write_text(json.dumps(note), "utf-8")
            temporary.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def open(self, key: Key) -> Pack | None:
        """The pack of that key, or None; a damaged one is removed, which is said."""
        path = self.folder / (key.stem + PACK)
        try:
            pack = Pack(path)
        except PackError as error:
            if path.exists():
                self.discard(path, str(error))
            return None
        except OSError as error:
            self.say(f"Cache: {path} cannot be read ({error.strerror}); going on without it")
            return None
        _touch(path)
        return pack

    def discard(self, path: Path, reason: str) -> None:
        """Remove a damaged pack, so that it is made again."""
        self.say(f"Cache: {path.name} is damaged ({reason}) and is not used; it will be made again")
        with contextlib.suppress(OSError):
            path.unlink()

    @contextlib.contextmanager
    def claim(
        self, key: Key, channels: int, is_wanted: Callable[[Pack], bool]
    ) -> Iterator["tuple[Pack | None, Growing | None]"]:
        """The pack that is there, and, where it is not the wanted one, the place to make it.

        Waits while another process makes it. (pack, None): the wanted one, or, with None in place of it, nothing can be
        kept. What is not finished when the block ends, by whatever cause, is removed.
        """
        pack, file = self._wait(key, is_wanted)
        if file is None:
            yield (pack if pack is not None and is_wanted(pack) else None), None
            return
        growing = Growing(self, key, file, channels)
        try:
            yield pack, growing
        finally:
            growing.abandon()

    def _wait(self, key: Key, is_wanted: Callable[[Pack], bool]) -> tuple[Pack | None, IO[bytes] | None]:
        """The pack that is there, wanted or not; the locked, empty file in which to make it, if it is not."""
        path, has_said, size, since = self.folder / (key.stem + UNFINISHED), False, -1, time.monotonic()
        pack = self.open(key)
        while pack is None or not is_wanted(pack):
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._sweep(but=path)
                file = _locked(path)
                grown = path.stat().st_size if file is None and path.exists() else -1
            except OSError as error:
                self.say(f"Cache: {self.folder} cannot be used ({error.strerror or error}); going on without it")
                return pack, None
            if file is not None:
                return self._first(key, pack, is_wanted, file)
            if grown != size:
                size, since = grown, time.monotonic()
            if time.monotonic() - since > STALLED_S:
                self.say("Cache: the other process gets no further; going on without the cache")
                return pack, None
            if not has_said:
                self.say("Cache: another process is keeping the same; waiting for it (--no-cache does not)")
                has_said = True
            time.sleep(POLL_S)
            if (self.folder / (key.stem + PACK)).exists():
                pack = self.open(key)
        return pack, None

    def _first(
        self, key: Key, pack: Pack | None, is_wanted: Callable[[Pack], bool], file: IO[bytes]
    ) -> tuple[Pack | None, IO[bytes] | None]:
        """Between the look for a pack and the lock another process may have finished it."""
        if (self.folder / (key.stem + PACK)).exists() and (again := self.open(key)) is not None:
            if is_wanted(again):
                _remove(file, self.folder / (key.stem + UNFINISHED))
                return again, None
            pack = again
        return pack, file

    def room(self, needed: int, but: Path) -> int:
        """Bytes that a file may have: `needed` and some more, or less than that where there is no room for it.

        What was not used for longest is removed until there is, except `but`.
        """
        others = [entry for entry in self.entries() if entry.path != but]
        total = sum(entry.num_bytes for entry in others)
        while others and total + needed > self.max_bytes:
            oldest = others.pop()
            with contextlib.suppress(OSError):
                oldest.path.unlink()
                total -= oldest.num_bytes
        return min(needed + STEP_BYTES, self.max_bytes - total)

    def _paths(self) -> list[Path]:
        try:
            return [path for path in self.folder.iterdir() if path.suffix in (PACK, NOTE)]
        except OSError:  # there is no cache yet
            return []

    def _sweep(self, but: Path | None = None) -> None:
        """Remove unfinished files that no living process holds."""
        for path in self.folder.glob(f"*{UNFINISHED}"):
            if path == but:
                continue
            with contextlib.suppress(OSError):
                file = _locked(path, create=False)
                if file is not None:
                    _remove(file, path)


class Growing:
    """A pack that is being made. Where the disk is full or fails, it is given up, which is said, and `pack` is None."""

    def __init__(self, cache: Cache, key: Key, file: IO[bytes], channels: int) -> None:
        self.cache, self.path, self.file = cache, cache.folder / (key.stem + PACK), file
        self.unfinished = cache.folder / (key.stem + UNFINISHED)
        self.is_open, self.num_rows, self.num_left_out, self._room = True, 0, 0, 0
        self._writer: PackWriter | None = None
        with self._given_up_where_it_fails():
            self._writer = PackWriter(file, channels)

    def add(self, canvas: Pixels | None) -> None:
        """The next row's canvas, or that there is none; one for which there is no room is left out, and counted."""
        if not self.is_open or self._writer is None:
            return
        self.num_rows += 1
        needed = self._writer.position + ROW_BYTES * self.num_rows
        if canvas is not None and not self._has_room(needed + canvas.nbytes):
            canvas = None
            self.num_left_out += 1
        with self._given_up_where_it_fails():
            self._writer.add(canvas)

    def finish(self, facts: Mapping[str, object], columns: Mapping[str, NDArray[Any]]) -> Pack | None:
        """Give the finished pack its name, and open it. None where it had to be given up."""
        if not self.is_open or self._writer is None:
            return None
        with self._given_up_where_it_fails():
            self._writer.finish(facts, columns)
            if sys.platform == "win32":
                self.file.close()  # an open file cannot be renamed there
            self.unfinished.replace(self.path)
            self.is_open = False
            self.file.close()
            sync_folder(self.path.parent)
            return Pack(self.path)
        return None

    def abandon(self) -> None:
        """Remove what is not finished."""
        if self.is_open:
            self.is_open = False
            _remove(self.file, self.unfinished)

    def _has_room(self, size: int) -> bool:
        if size > self._room:
            self._room = self.cache.room(size, but=self.path)
        return size <= self._room

    @contextlib.contextmanager
    def _given_up_where_it_fails(self) -> Iterator[None]:
        try:
            yield
        except (OSError, PackError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self.cache.say(f"Cache: {self.path.parent} could not be written ({reason}); going on without it")
            self.abandon()


def bound(folder: Path) -> int:
    """The most bytes that the cache may have. Raises ConfigError for a SIGHTLINE_CACHE_BYTES that is no number."""
    named = os.environ.get(BYTES_VARIABLE)
    if named:
        if not named.isascii() or not named.isdigit():
            raise ConfigError(f"{BYTES_VARIABLE} = {named!r}: must be a whole number of bytes, such as 20000000000")
        return int(named)
    there = next((place for place in (folder, *folder.parents) if place.exists()), Path("/"))
    try:
        own = sum(path.stat().st_size for path in folder.glob(f"*{PACK}")) if folder.is_dir() else 0
        return int(DISK_SHARE * (shutil.disk_usage(there).free + own))
    except OSError:
        return 0


def _touch(path: Path) -> None:
    """Note that it was used; a folder that can only be read keeps no such notes."""
    with contextlib.suppress(OSError):
        os.utime(path)


def _locked(path: Path, create: bool = True) -> IO[bytes] | None:
    """The file, empty and locked by this process; None where another holds it, or has just renamed or removed it."""
    descriptor = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0) | getattr(os, "O_BINARY", 0), 0o666)
    file = os.fdopen(descriptor, "r+b", buffering=1 << 20)
    try:
        if try_lock(file) and path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
            file.truncate(0)
            return file
    except FileNotFoundError:
        pass
    except BaseException:
        file.close()
        raise
    file.close()
    return None


def _remove(file: IO[bytes], path: Path) -> None:
    """Remove a file of ours while it is locked, and close it, whatever the disk says to what it still holds back."""
    with contextlib.suppress(OSError):
        if sys.platform != "win32":
            path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        file.close()
    if sys.platform == "win32":
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
