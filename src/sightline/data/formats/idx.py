"""MNIST's IDX files, gzipped or not. Comes in: a store that holds them at its root; goes out: a Dataset.

`[prefix-]{train,t10k,test}-images-idx3-ubyte[.gz]` and the labels beside each. The format is that of
http://yann.lecun.com/exdb/mnist/. Must not know which data set it is: classes are named by their numbers.
"""

import math
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from sightline.data.dataset import SPLIT_NAMES, ArrayImages, Dataset
from sightline.data.formats._arrays import check_picture_size, with_channels
from sightline.data.formats._common import few, is_picture, not_in
from sightline.data.storage.archive import MAX_DEFLATE_RATIO
from sightline.data.storage.names import Names, Repeated
from sightline.data.storage.store import Store
from sightline.errors import DataError

NAME = re.compile(r"(?P<prefix>.*?)images[-.]idx[34]-ubyte(\.gz)?", re.IGNORECASE)
UBYTE = 8  # the type code of unsigned bytes
CHUNK = 1 << 16  # bytes of a gzip unpacked at a time
MAX_DIMENSIONS = 4  # pictures of several channels
SPLIT_OF_PREFIX = {**SPLIT_NAMES, "t10k": "test"}


@dataclass(frozen=True)
class _Part:
    """One pair of files: pictures uint8 (N, H, W, C), labels uint8 (N,)."""

    name: str
    split: str | None
    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def recognises(store: Store) -> int:
    """3 if there are files of pictures by IDX's names."""
    return 3 if _image_names(store.names()) else 0


def read(store: Store, entry: str | None) -> Dataset:
    """All the files as one. Raises DataError if one is damaged, or its labels are missing or too few."""
    names = store.names()
    found = _image_names(names)
    _check_one_set(store.location, found)
    parts = [_read_part(store, name, split, names) for name, split in found.items()]
    shapes = {part.name: part.images.shape[1:] for part in parts}
    if len(set(shapes.values())) > 1:
        raise DataError(f"{store.location}: pictures of different sizes (H, W, C): {shapes}")
    values, labels = np.unique(np.concatenate([part.labels for part in parts]), return_inverse=True)
    bare = [part.name for part in parts if not part.split]
    if bare and len(bare) < len(parts):
        raise DataError(f"{store.location}: the names of {few(bare, 20)} say no split, the others' do; take them out")
    splits = Repeated(split for part in parts if (split := part.split) for _ in range(len(part.labels)))
    return Dataset(
        location=store.location,
        format="idx",
        images=ArrayImages(np.concatenate([part.images for part in parts])),
        paths=Names(f"{part.name}[{i}]" for part in parts for i in range(len(part.labels))),
        labels=labels.astype(np.int64),
        classes=tuple(str(value) for value in values),
        splits=splits if len(splits) == len(labels) else None,
        notes=tuple(filter(None, [not_in([name for name in names if is_picture(name)], "IDX's files")])),
    )


def _image_names(names: Sequence[str]) -> dict[str, str | None]:
    """Files of pictures at the root -> the split they are; a file both gzipped and not counts once."""
    found: dict[str, str | None] = {}
    for name in names:
        match = NAME.fullmatch(name)
        if match and "/" not in name and name.removesuffix(".gz") not in found:
            found[name] = SPLIT_OF_PREFIX.get(re.split(r"[-_.]", match["prefix"].rstrip("-_."))[-1].lower())
    return dict(sorted(found.items(), key=lambda item: (item[1] != "train", item[0])))


def _check_one_set(location: str, found: dict[str, str | None]) -> None:
    """Raises DataError if one split has two files: EMNIST comes as six data sets in one folder."""
    for split in set(found.values()):
        same = [name for name, its_split in found.items() if its_split == split]
        if len(same) > 1:
            raise DataError(
                f"{location}: several data sets lie in this folder: {few(same, 20)}. "
                "Move the one that is meant, pictures and labels, to a folder of its own."
            )


def _read_part(store: Store, name: str, split: str | None, names: Sequence[str]) -> _Part:
    labels_name = _labels_name(name, names)
    if labels_name is None:
        raise DataError(f"{store.location}: {name} has no file of labels beside it")
    images = np.asarray(with_channels(_read_array(store, name), f"{store.location}: {name}"), np.uint8)
    check_picture_size(images.shape, f"{store.location}: {name}")
    labels = _read_array(store, labels_name)
    if labels.ndim != 1 or len(labels) != len(images):
        raise DataError(
            f"{store.location}: {len(images)} pictures in {name}, but labels of shape {labels.shape} "
            f"in {labels_name}; fetch both again"
        )
    return _Part(name, split, images, labels)


def _labels_name(name: str, names: Sequence[str]) -> str | None:
    plain = re.sub(r"images([-.])idx[34]", r"labels\1idx1", name.removesuffix(".gz"), flags=re.IGNORECASE)
    return next((n for n in (plain, f"{plain}.gz") if n in names), None)


def _read_array(store: Store, name: str) -> NDArray[np.uint8]:
    """Two zero bytes, the type, the number of dimensions, each as a big-endian uint32, then the data."""
    where = f"{store.location}: {name}"
    data = _unzipped(store, name, where)
    if len(data) < 4 or data[:2] != b"\0\0":
        raise DataError(f"{where}: not an IDX file: it starts with {data[:4].hex(' ')}; fetch it again")
    if data[2] != UBYTE:
        raise DataError(f"{where}: values of IDX type 0x{data[2]:02x}; only unsigned bytes (0x08) are read")
    num_dimensions = data[3]
    if not 1 <= num_dimensions <= MAX_DIMENSIONS:
        raise DataError(f"{where}: {num_dimensions} dimensions; labels have one, pictures three or four")
    start = 4 + 4 * num_dimensions
    shape = tuple(int.from_bytes(data[i : i + 4], "big") for i in range(4, start, 4))
    if len(data) != start + math.prod(shape):
        raise DataError(
            f"{where}: {len(data):,} bytes, but its header announces {start + math.prod(shape):,} "
            f"(shape {shape}); fetch it again"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def _unzipped(store: Store, name: str, where: str) -> bytes | bytearray:
    try:
        data = store.read(name)
        return _gunzipped(data) if name.lower().endswith(".gz") else data
    except OSError as error:
        raise DataError(f"{where}: {error.strerror or error}") from error
    except zlib.error as error:
        raise DataError(f"{where}: damaged or truncated gzip ({error}); fetch it again") from error


def _gunzipped(data: bytes) -> bytearray:
    """What a gzip holds, but no more than a byte past what the IDX header in it announces."""
    unpacker, packed = zlib.decompressobj(16 + zlib.MAX_WBITS), memoryview(data)
    found = bytearray(unpacker.decompress(packed[:CHUNK], 4 + 4 * MAX_DIMENSIONS))
    most = min(_announced(found), MAX_DEFLATE_RATIO * len(data)) + 1
    rest = (packed[at : at + CHUNK] for at in range(CHUNK, len(packed), CHUNK))
    for chunk in chain([memoryview(unpacker.unconsumed_tail)], rest):
        if unpacker.eof or len(found) >= most:
            break
        found += unpacker.decompress(chunk, most - len(found))
    if not unpacker.eof and len(found) < most:
        raise zlib.error("incomplete or truncated stream")
    return found


def _announced(start: bytes | bytearray) -> int:
    """The bytes of a file that begins so; at least those that are at hand."""
    num_dimensions = min(start[3], MAX_DIMENSIONS) if len(start) > 3 else 0
    shape = [int.from_bytes(start[4 + 4 * i : 8 + 4 * i], "big") for i in range(num_dimensions)]
    return max(len(start), 4 + 4 * num_dimensions + math.prod(shape))
