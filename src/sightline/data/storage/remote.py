"""Files on servers and in object stores, through fsspec. Comes in: URLs; goes out: sizes, versions and byte ranges.

A request that fails is tried again with growing pauses, a bounded number of times; what then still fails is a
DataError with the file and the byte range. URLs may hold passwords or signatures: `public` is what may be shown or
written. Must not know what the files contain. fsspec and its protocols are the extra `stream`.
"""

import contextlib
import hashlib
import os
import re
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sightline.data.storage.user_cache import default_folder
from sightline.errors import DataError, MissingExtraError

PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)  # between tries: 16 seconds in all, so a server that restarts is waited for
CHUNK = 8 << 20  # of a whole file, one request: at 100 MB/s its latency is a tenth of the time or less
CONNECT_S, SILENCE_S = 30, 60
# What object stores and servers call the state of a file; any of them tells a changed one.
VERSION_KEYS = ("ETag", "etag", "Content-MD5", "md5Hash", "Last-Modified", "LastModified", "mtime", "created")
FINAL_STATUS = (400, 401, 403, 404, 410)  # trying again cannot help
FINAL_ERRORS = ("NoCredentialsError", "PartialCredentialsError")  # nor here: botocore's

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+://")

T = TypeVar("T")


@dataclass
class RemoteFile:
    """size in bytes; version: a text that changes with the content, "" if the server tells none.

    has_ranges turns False when the server is found to send the whole file where a part was asked for.
    """

    url: str
    size: int
    version: str
    has_ranges: bool = True

    @property
    def name(self) -> str:
        """What may be shown."""
        return public(self.url)

    @property
    def key(self) -> str:
        """A file name for what is kept of it. Where the server tells no version, only this process may trust it."""
        text = f"{self.url} {self.size} {self.version or os.getpid()}"
        return hashlib.sha256(text.encode()).hexdigest()[:32]


class NotThereError(DataError):
    """No such file."""


class NotAllowedError(DataError):
    """A file that may not be read."""


class NoRangesError(Exception):
    """The server sends whole files only."""


def is_url(text: str) -> bool:
    return _URL.match(text) is not None


def public(url: str) -> str:
    """The URL without user, password, query and fragment."""
    if not re.match(r"https?://", url):
        return url
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def cache_folder(*names: str) -> Path:
    """A folder below the user's cache; made if need be."""
    folder = default_folder().joinpath(*names)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def describe(url: str) -> RemoteFile:
    """Size and version of a file. Raises DataError if there is none, MissingExtraError for the protocol's package."""
    system, path = _open_system(url)
    info = _patiently(f"{public(url)}", lambda: system.info(path))
    if info.get("type") == "directory":
        raise DataError(f"{public(url)}: a folder; name the shards, such as {public(url).rstrip('/')}/{{000..009}}.tar")
    if info.get("size") is None:
        raise DataError(f"{public(url)}: the server does not tell its size, so it cannot be read in parts")
    version = " ".join(f"{key}={info[key]}" for key in VERSION_KEYS if info.get(key) is not None)
    return RemoteFile(url, int(info["size"]), version, info.get("partial", True) is not False)


def read_if_there(url: str, max_bytes: int) -> bytes | None:
    """A small file as a whole, or None where there is none."""
    with contextlib.suppress(NotThereError):
        file = describe(url)
        if file.size > max_bytes:
            raise DataError(f"{file.name}: {file.size:,} bytes; expected at most {max_bytes:,}")
        return b"".join(stream(file))
    return None


def write_whole(path: Path, text: str) -> None:
    """Write a file so that other processes see all of it or none."""
    part = path.with_suffix(f".part-{os.getpid()}-{threading.get_ident()}")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def listed(pattern: str) -> list[str]:
    """The files that a URL with stars names, sorted. Raises DataError for none."""
    system, path = _open_system(pattern)
    found = _patiently(public(pattern), lambda: system.glob(path))
    if not found:
        raise DataError(
            f"{public(pattern)}: no such file; a server without listings needs braces, such as {{000..009}}"
        )
    return sorted(system.unstrip_protocol(name) for name in found)


def is_folder(url: str) -> bool:
    """Whether a URL names all that is below it: it ends in a slash, or an object store knows it for a prefix.

    A server of the web has no listings. Raises DataError for a slash there, and as `describe` does.
    """
    if re.match(r"https?://", url):
        if not public(url).endswith("/"):
            return False
        raise DataError(f"{public(url)}: servers of the web do not list their files; name each, or a table of them")
    system, path = _open_system(url)
    return url.endswith("/") or bool(_patiently(public(url), lambda: system.isdir(path)))


def files_below(url: str) -> list[str]:
    """Every file below a prefix of an object store, of whatever depth, sorted. Raises DataError."""
    system, path = _open_system(url)
    found = _patiently(public(url), lambda: system.find(path))
    return sorted(system.unstrip_protocol(name) for name in found)


def read_file(url: str) -> bytes:
    """A file as a whole, by one request.

    Raises OSError with the reason alone for one that is not there or may not be read, and DataError where the server
    does not answer, which is no fault of the file's.
    """
    system, path = _open_system(url)
    try:
        data: bytes = _patiently(public(url), lambda: system.cat_file(path))
        return data
    except NotThereError as error:
        raise FileNotFoundError(2, "no such file", public(url)) from error
    except NotAllowedError as error:
        raise PermissionError(str(error).removeprefix(f"{public(url)}: ")) from error


def read_range(file: RemoteFile, offset: int, size: int) -> bytes:
    """`size` bytes from `offset`. Raises NoRangesError, or DataError with the range."""

    def attempt() -> bytes:
        data = _range(file, offset, size)
        if len(data) != size:
            raise OSError(f"{len(data):,} bytes came instead of {size:,}")
        return data

    return _patiently(f"{file.name}, bytes {offset:,} to {offset + size:,}", attempt)


def stream(file: RemoteFile) -> Iterator[bytes]:
    """The whole file in pieces of at most CHUNK; goes on where a connection broke. Raises DataError."""
    offset = 0
    while offset < file.size and file.has_ranges:
        try:
            data = read_range(file, offset, min(CHUNK, file.size - offset))
        except NoRangesError:
            break
        yield data
        offset += len(data)
    if offset < file.size:
        yield from _whole(file, offset)


def _whole(file: RemoteFile, offset: int) -> Iterator[bytes]:
    """The file from `offset` on, of a server that always begins at the start."""
    system, path = _open_system(file.url)
    pauses = iter(PAUSES_S)
    while offset < file.size:
        try:
            with system.open(path, "rb", block_size=0) as body:
                skipped = 0
                while skipped < offset and (data := body.read(min(CHUNK, offset - skipped))):
                    skipped += len(data)
                while offset < file.size and (data := body.read(min(CHUNK, file.size - offset))):
                    yield data
                    offset += len(data)
                    pauses = iter(PAUSES_S)  # it moves: the tries count anew
            if offset < file.size:
                raise OSError("the connection ended early")
        except Exception as error:  # of any fsspec backend
            _pause(pauses, error, f"{file.name}, bytes {offset:,} to {file.size:,}")


def _range(file: RemoteFile, offset: int, size: int) -> bytes:
    system, path = _open_system(file.url)
    if not re.match(r"https?://", file.url):
        data: bytes = system.cat_file(path, start=offset, end=offset + size)
        return data
    # Opened and not `cat_file`, which would take the whole file for the range from a server that ignores ranges.
    with system.open(path, "rb", block_size=max(size, 1), cache_type="none", size=file.size) as body:
        body.seek(offset)
        try:
            data = body.read(size)
        except ValueError as error:
            if "range requests" not in str(error):
                raise
            file.has_ranges = False
            raise NoRangesError from error
        return data


def _open_system(url: str) -> tuple[Any, str]:
    """fsspec's file system for a URL, which it keeps, and the path in it. Any: fsspec has no types."""
    try:
        import fsspec
        from fsspec.core import url_to_fs

        options: dict[str, Any] = {}
        if re.match(r"https?://", url):
            import aiohttp

            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S)
            options = {"client_kwargs": {"timeout": timeout, "trust_env": True}}
        assert fsspec is not None
        system, path = url_to_fs(url, **options)
    except ImportError as error:
        protocol = url.partition("://")[0]
        package = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"}.get(protocol, "aiohttp")
        raise MissingExtraError(
            f"reading {protocol}://", error.name if error.name == "fsspec" else package, "stream"
        ) from error
    except ValueError as error:
        raise DataError(f"{public(url)}: {error}") from error
    return system, path


def _patiently(what: str, attempt: Callable[[], T]) -> T:
    """`attempt()`, again after a pause where it fails for a reason that may pass."""
    pauses = iter(PAUSES_S)
    while True:
        try:
            return attempt()
        except NoRangesError:
            raise
        except Exception as error:  # of any fsspec backend: aiohttp's, botocore's, OSError
            _pause(pauses, error, what)


def _pause(pauses: Iterator[float], error: Exception, what: str) -> None:
    """Wait, or raise DataError where the error is final or no pause is left."""
    cause = error.__cause__ or error  # fsspec turns every failure of `info` into FileNotFoundError
    status = _status(cause) or _status(error)
    if isinstance(cause, FileNotFoundError) or status in (404, 410):
        raise NotThereError(f"{what}: no such file") from error
    if isinstance(cause, PermissionError) or status in FINAL_STATUS or type(cause).__name__ in FINAL_ERRORS:
        raise NotAllowedError(
            f"{what}: not allowed ({status or _words(cause)}); check the address and your credentials"
        ) from error
    pause = next(pauses, None)
    if pause is None:
        raise DataError(f"{what}: {_words(cause)}, {len(PAUSES_S) + 1} times in a row; check the connection") from error
    time.sleep(pause)


def _status(error: BaseException) -> int | None:
    """Of the server's reply, as aiohttp's errors have it, or botocore's."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        found = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:
        found = getattr(error, "status", None)
    return found if isinstance(found, int) else None


def _words(error: BaseException) -> str:
    return re.sub(r"https?://\S+", lambda match: public(match[0]), str(error)) or type(error).__name__
