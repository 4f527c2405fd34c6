"""What one reading tells of a picture: one record a row. Comes in: a header and pixels; goes out: a record.

Everything here belongs to the picture alone; labels, splits and other pictures are `checks`' business. The records
lie in one structured array, so that those of a million pictures fit into memory and into a cache file.
"""

import hashlib
from collections.abc import Sequence
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from sightline.data.decode import Header
from sightline.data.preprocess import Pixels

RECORD = np.dtype(
    [
        ("hash", "V16"),  # BLAKE2b of the pixels and their shape; zeros where the picture cannot be read
        ("num_bytes", "<i8"),  # of the encoded picture; 0 for an array
        ("height", "<i4"),  # of the whole picture, upright
        ("width", "<i4"),
        ("format", "S12"),  # Pillow's name, by content; empty for an array
        ("mode", "S8"),  # Pillow's mode as stored
        ("bits", "u1"),  # a channel
        ("num_frames", "<i4"),
        ("orientation", "u1"),  # EXIF, 1 to 8
        ("taken_s", "<i8"),  # EXIF's time of exposure, seconds since 1970 as if in UTC; 0: not known
    ]
)


SAID = np.dtype(RECORD.descr[1:])  # what the header says of it; the hash is of the pixels
_said = attrgetter(*(SAID.names or ()))
Record = tuple[bytes, *tuple[object, ...]]  # one row's values, in the order of RECORD


def record_of(header: Header, image: Pixels) -> Record:
    """The record of a picture: its header, and its pixels (H, W, C) as decoded."""
    return (pixel_hash(image), *_said(header))


def said(headers: Sequence[Header]) -> NDArray[np.void]:
    """SAID (n,): the records of pictures, but for their hashes."""
    return np.array([_said(header) for header in headers], SAID)


def records_of_array(images: Pixels) -> NDArray[np.void]:
    """The records of pictures that lie in one array, (N, H, W, C)."""
    records = np.zeros(len(images), RECORD)
    records["hash"] = np.array([pixel_hash(image) for image in images], "V16")
    records["height"], records["width"] = images.shape[1:3]
    records["mode"], records["bits"] = "L" if images.shape[3] == 1 else "RGB", 8 * images.dtype.itemsize
    records["num_frames"], records["orientation"] = 1, 1
    return records


def pixel_hash(image: Pixels) -> bytes:
    """BLAKE2b of the shape, the kind where it is not uint8, and the pixels, 16 bytes."""
    kind = "" if image.dtype == np.uint8 else str(image.dtype)
    digest = hashlib.blake2b(f"{image.shape}{kind}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(image).data)
    return digest.digest()


def hexadecimal(records: NDArray[np.void]) -> list[str]:
    """The hashes of records (N,) as text, 32 digits each; empty where the picture cannot be read."""
    texts = [h.tobytes().hex() for h in records["hash"]]
    return ["" if text == "0" * 32 else text for text in texts]
