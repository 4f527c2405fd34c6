"""Members of a tar by their place. Comes in: something that reads byte ranges; goes out: name, offset and size of each.

For shards, whose pictures are later read by range without the tar around them. Only headers are read, so that of a
shard on a server little is fetched. Strict where tarfile is lenient: a header whose checksum is wrong, or a member
that goes on past the end, is an error and not the end. Must not know what the members contain.

Formats: POSIX.1-1988 (ustar), POSIX.1-2001 (pax), GNU long names, and version 7's headers without a magic word.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sightline.data.storage.names import as_text
from sightline.data.storage.tar_headers import BLOCK, MAX_LENGTH_DIGITS, pax_records, short_name
from sightline.errors import DataError

Read = Callable[[int, int], bytes]  # (offset, size) -> the bytes there

FILE, FOLDER, OTHER = "file", "folder", "other"
_KINDS = {b"0": FILE, b"\0": FILE, b"7": FILE, b"5": FOLDER}
# A long name or a pax header longer than this is damage, not a name: Linux' longest path is 4,096 bytes.
MAX_EXTENSION = 1 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """kind: `file`, `folder`, or `other` (a link, a device, a sparse file)."""

    name: str
    kind: str
    offset: int
    size: int


class BlockReader:
    """Reads ranges through a block that is fetched ahead, so that small members next to each other are one request."""

    def __init__(self, read: Read, length: int, block: int) -> None:
        self._read, self._length, self._block = read, length, block
        self._start, self._data = 0, b""

    def __call__(self, offset: int, size: int) -> bytes:
        inside = offset - self._start
        if inside < 0 or inside + size > len(self._data):
            wanted = min(max(size, self._block), self._length - offset)
            self._start, self._data, inside = offset, self._read(offset, wanted) if wanted > 0 else b"", 0
        return self._data[inside : inside + size]


def members(read: Read, length: int, where: str) -> Iterator[Member]:
    """The members of a tar of `length` bytes; the last one, with an empty name, if the end mark is missing.

    Raises DataError for a damaged header, or a member that goes on past the end.
    """
    offset, long_name, long_size, last = 0, b"", b"", ""
    while offset < length:
        header = read(offset, BLOCK)
        if len(header) < BLOCK:
            raise DataError(f"{where}: truncated: it ends inside a header, at byte {offset:,}, {_after(last)}")
        if not any(header):
            return
        kind, size = header[156:157], _size(header, f"{where}: damaged at byte {offset:,}, {_after(last)}")
        size = int(long_size) if long_size.isdigit() and len(long_size) <= MAX_LENGTH_DIGITS else size
        start = offset + BLOCK
        name = as_text((long_name or short_name(header)).decode("utf-8", "surrogateescape"))
        if start + size > length:
            raise DataError(f"{where}: truncated: {name} needs bytes {start:,} to {start + size:,} of {length:,}")
        if kind in b"xL":
            if size > MAX_EXTENSION:
                raise DataError(f"{where}: damaged at byte {offset:,}: a name of {size:,} bytes")
            data = read(start, size)
            records = pax_records(data) if kind == b"x" else {b"path": data.partition(b"\0")[0]}
            if b"" in records:
                raise DataError(f"{where}: damaged at byte {offset:,}: a pax header that is none; fetch it again")
            long_name, long_size = records.get(b"path", long_name), records.get(b"size", long_size)
        elif kind not in b"gK":  # global headers, and long names of links
            yield Member(name, _KINDS.get(kind, OTHER), start, size)
            long_name, long_size, last = b"", b"", name
        offset = start + -(-size // BLOCK) * BLOCK
    yield Member("", OTHER, length, 0)


def _after(last: str) -> str:
    return f"after {last}" if last else "its first"


def _size(header: bytes, damage: str) -> int:
    """The size of the member behind a header. Raises DataError where the checksum is wrong."""
    checksum, size = _octal(header[148:156]), _octal(header[124:136])
    if checksum is None or sum(header) - sum(header[148:156]) + 8 * ord(" ") != checksum:
        raise DataError(f"{damage}: the checksum of its header is wrong, or it is no tar; fetch or write it again")
    if size is None:
        raise DataError(f"{damage}: the size of its member is unreadable, or past 8 GiB")
    return size


def _octal(field: bytes) -> int | None:
    text = field.strip(b" \0")
    return int(text, 8) if text and not text.strip(b"01234567") else (0 if not text else None)
