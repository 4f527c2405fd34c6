"""Zip files, read in place. Comes in: the path of one; goes out: a store. See `archive`.

Format: PKWARE's APPNOTE.
"""

import contextlib
import io
import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from sightline.data.storage.archive import MAX_DEFLATE_RATIO, Archive, Members, damage, plain_errors, unpacked
from sightline.data.storage.names import Names, as_text, is_visible
from sightline.data.storage.ranges import Range, Ranges

LOCAL_HEADER = struct.Struct("<26xHH")  # APPNOTE 4.3.7: the lengths of the name and of the extra field
MAX_UNPACKED = 4 << 30  # bytes of a member that is read whole; the largest picture that is read needs 3

# What is kept of a member: APPNOTE 4.3.12.
ZIP_MEMBER = np.dtype(
    [("offset", "<i8"), ("packed", "<i8"), ("size", "<i8"), ("crc", "<u4"), ("method", "<u2"), ("flags", "<u2")]
)


class ZipStore(Archive):
    """Members of a zip file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._num_bytes = path.stat().st_size
        with plain_errors(path), zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
        named = [(name, info) for info in infos if is_visible((name := _zip_name(info)).rstrip("/"))]
        self._folders = [name.rstrip("/") for name, _ in named if name.endswith("/")]
        files = [(name, info) for name, info in named if not name.endswith("/")]
        rows = [(i.header_offset, i.compress_size, i.file_size, i.CRC, i.compress_type, i.flag_bits) for _, i in files]
        with plain_errors(path):  # numbers past 2**63
            self._members = Members(Names(name for name, _ in files), np.array(rows, ZIP_MEMBER))
        self._ranges = Ranges(path.open("rb"))

    def read(self, name: str) -> bytes:
        info = self._readable(name)
        if info["size"] > MAX_UNPACKED:
            raise OSError(f"{info['size']:,} bytes when unpacked, above the limit of {MAX_UNPACKED:,}")
        with damage():
            data = self._unpack(name, info)
        if len(data) != info["size"] or zlib.crc32(data) != info["crc"]:
            raise OSError("damaged in the archive: its checksum does not match")
        return data

    def open(self, name: str) -> IO[bytes]:
        info = self._readable(name)
        with damage():
            if info["method"] == zipfile.ZIP_STORED:
                return io.BufferedReader(Range(self._ranges, self._start(info), int(info["size"])))
            with zipfile.ZipFile(self.path) as archive, archive.open(_zip_info(archive, name)) as packed:
                file = unpacked(packed)
            if file.seek(0, os.SEEK_END) != info["size"]:
                file.close()
                raise zipfile.BadZipFile("longer or shorter than it says")
            file.seek(0)
            return file

    def _readable(self, name: str) -> Any:
        info = self._members.of(name)
        if info["flags"] & 1:
            raise OSError("encrypted in the archive; unpack it first")
        packed, size = int(info["packed"]), int(info["size"])
        ratios = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: MAX_DEFLATE_RATIO}
        if packed > self._num_bytes or size > packed * ratios.get(int(info["method"]), size):
            raise OSError(
                f"damaged in the archive: {packed:,} of its {self._num_bytes:,} bytes are said to unpack to {size:,}"
            )
        return info

    def _start(self, info: Any) -> int:
        """Where a member's data begin, behind its local header."""
        offset = int(info["offset"])
        lengths = LOCAL_HEADER.unpack(self._ranges.read(offset, LOCAL_HEADER.size))
        return offset + LOCAL_HEADER.size + int(sum(lengths))

    def _unpack(self, name: str, info: Any) -> bytes:
        if info["method"] not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            with zipfile.ZipFile(self.path) as archive:  # slow, and rare: bzip2 or LZMA inside a zip
                return archive.read(_zip_info(archive, name))
        data = self._ranges.read(self._start(info), int(info["packed"]))
        if info["method"] == zipfile.ZIP_STORED:
            return data
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        # No more than it says, and one byte, by which one that says too little is found.
        found = unpacker.decompress(data, int(info["size"]) + 1)
        if not unpacker.eof:
            raise zlib.error("longer or shorter than it says")
        return found


def _zip_info(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    return next(info for info in reversed(archive.infolist()) if _zip_name(info) == name)


def _zip_name(info: zipfile.ZipInfo) -> str:
    """A member's name; a folder's ends in a slash."""
    name = info.filename
    if not info.flag_bits & 0x800:  # no UTF-8 flag: zipfile took it for cp437, but macOS writes UTF-8 so too
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    if "/" not in name:
        name = name.replace("\\", "/")  # written by old Windows programs, against the standard
    while name.startswith("./"):
        name = name[2:]
    return as_text(name)
