"""One file of decoded pictures, written once and read at random. Comes in: canvases, and columns with a row for each;
goes out: the same. Must not know where such files lie, or what the columns mean.

    magic | canvases, one after the other | header (JSON) | columns | footer

The footer comes last, with a checksum of header and columns: a file that was cut short or never finished is none.
A canvas is read by position into memory of its own and not mapped, so that the process stays as small as its batches,
and a file that is cut short while it is in use is an error that can be caught, where a mapped one kills the process.
"""

import hashlib
import json
import os
import struct
import zlib
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from sightline.data.preprocess import Pixels
from sightline.data.storage.ranges import Ranges

FORMAT = 1
MAGIC = b"SLPACK%02d" % FORMAT
FOOTER = struct.Struct("<QQ16s8s")  # where the header begins, its length, checksum of header and columns, magic
PLACES = ("offset", "height", "width", "depth", "check")  # the columns by which a canvas is found and checked


class PackError(Exception):
    """No pack, or a damaged one. The message is the reason alone."""


class PackWriter:
    """Writes a pack to an open, empty file."""

    def __init__(self, file: IO[bytes], channels: int) -> None:
        self.file, self.channels, self.position = file, channels, len(MAGIC)
        self._places = {name: array("q") for name in PLACES}
        file.write(MAGIC)

    def add(self, canvas: Pixels | None) -> None:
        """The next row's canvas, uint8 or float32 (h, w, channels), or that there is none."""
        row = (-1, 0, 0, 0, 0)
        if canvas is not None:
            data = canvas.tobytes()
            row = (self.position, *canvas.shape[:2], canvas.itemsize, zlib.crc32(data))
            self.file.write(data)
            self.position += len(data)
        for name, value in zip(PLACES, row, strict=True):
            self._places[name].append(value)

    def finish(self, facts: Mapping[str, object], columns: Mapping[str, NDArray[Any]]) -> None:
        """Write what makes the file a pack, and have the disk confirm it. `facts` must be plain values."""
        types = {"offset": "<i8", "height": "<u2", "width": "<u2", "depth": "u1", "check": "<u4"}
        places = {name: np.array(self._places[name]).astype(types[name]) for name in PLACES}
        table = {**places, **columns}
        described = [[name, np.lib.format.dtype_to_descr(c.dtype), len(c)] for name, c in table.items()]
        header = json.dumps({"facts": dict(facts), "channels": self.channels, "columns": described}).encode()
        digest = hashlib.blake2b(header, digest_size=16)
        self.file.write(header)
        for column in table.values():
            data = np.ascontiguousarray(column).view(np.uint8).data
            digest.update(data)
            self.file.write(data)
        self.file.write(FOOTER.pack(self.position, len(header), digest.digest(), MAGIC))
        self.file.flush()
        os.fsync(self.file.fileno())


class Pack:
    """An open pack. `facts` and `columns` are what `finish` was given; reading is safe from several threads."""

    def __init__(self, path: Path) -> None:
        """Raises PackError where it is damaged or not there, OSError where it cannot be read."""
        self.path = path
        try:
            file = path.open("rb")
        except (FileNotFoundError, NotADirectoryError) as error:
            raise PackError("no such file") from error
        self._ranges = Ranges(file)
        begin, length, checksum = _footer(file)
        file.seek(begin)
        try:
            header = file.read(length)
            document = json.loads(header)
            self.facts: dict[str, Any] = document["facts"]
            self.channels: int = document["channels"]
            self.columns, digest = {}, hashlib.blake2b(header, digest_size=16)
            for name, description, count in document["columns"]:
                if count < 0:  # which numpy takes for all that is left
                    raise ValueError(count)
                column = np.fromfile(file, _dtype(description), count)
                digest.update(column.view(np.uint8).data)
                self.columns[name] = column
            if digest.digest() != checksum:
                raise ValueError("checksum")
            self._offset, self._height, self._width, self._depth, self._check = map(self.columns.pop, PLACES)
            ends = self._offset + self._num_bytes()
            if len(ends) and not (int(ends.max()) <= begin and self.channels > 0):
                raise ValueError("a canvas behind the index")
        except OSError:
            raise
        except Exception as error:  # of JSON or numpy, about bytes that are none of ours
            raise PackError("its index is damaged") from error
        self._checked = np.zeros(len(self), bool)

    def __len__(self) -> int:
        return len(self._offset)

    @property
    def num_bytes(self) -> int:
        """Of all canvases."""
        return int(self._num_bytes().sum())

    def _num_bytes(self) -> NDArray[np.int64]:
        """Of each canvas."""
        return np.asarray(self._height.astype(np.int64) * self._width * self._depth * self.channels, np.int64)

    @property
    def has_canvas(self) -> NDArray[np.bool_]:
        """Whether there is a canvas, a row."""
        return np.asarray(self._offset >= 0)

    def canvas(self, row: int) -> Pixels | None:
        """Row's canvas, uint8 or float32 (h, w, channels), read-only; None where there is none.

        Its checksum is compared when it is read for the first time. Raises PackError if it is not what was written.
        """
        offset, height, width = int(self._offset[row]), int(self._height[row]), int(self._width[row])
        num_bytes = height * width * self.channels * int(self._depth[row])
        if offset < 0:
            return None
        try:
            data = self._ranges.read(offset, num_bytes)
        except OSError as error:
            raise PackError(str(error)) from error
        if len(data) != num_bytes:
            raise PackError("it was cut short")
        if not self._checked[row]:
            if zlib.crc32(data) != self._check[row]:
                raise PackError(f"the checksum of picture {row} does not match")
            self._checked[row] = True
        pixels: Pixels = np.frombuffer(data, np.uint8) if self._depth[row] == 1 else np.frombuffer(data, np.float32)
        return pixels.reshape(height, width, self.channels)


def _footer(file: IO[bytes]) -> tuple[int, int, bytes]:
    """Where the header begins, its length, the checksum."""
    size = os.fstat(file.fileno()).st_size
    if size < len(MAGIC) + FOOTER.size or file.read(len(MAGIC)) != MAGIC:
        raise PackError("not a pack of this version")
    file.seek(size - FOOTER.size)
    begin, length, checksum, magic = FOOTER.unpack(file.read(FOOTER.size))
    if magic != MAGIC or begin + length > size - FOOTER.size:
        raise PackError("it was cut short")
    return begin, length, checksum


def _dtype(description: Any) -> np.dtype[Any]:
    """What JSON has made of a dtype's description, lists for tuples, back to a dtype."""
    if isinstance(description, str):
        return np.dtype(description)
    fields = ((str(name), _dtype(kind), *(tuple(sides) for sides in shape)) for name, kind, *shape in description)
    return np.dtype(list(fields))


def facts_of(path: Path) -> dict[str, Any]:
    """The facts alone, without reading the columns. Raises PackError or OSError."""
    with path.open("rb") as file:
        begin, length, _ = _footer(file)
        file.seek(begin)
        try:
            facts: dict[str, Any] = json.loads(file.read(length))["facts"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise PackError("its index is damaged") from error
    return facts
