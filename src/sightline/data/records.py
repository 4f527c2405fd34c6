"""What one reading tells of a picture: one record a row. Comes in: headers and pixels; goes out: records.

Everything here belongs to the picture alone; labels, splits and other pictures are `checks`' business. The records
lie in one structured array, so that those of a million pictures fit into memory and into a cache file.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sightline.data.decode import Header
from sightline.data.duplicates import SIGNATURE_BYTES, signatures
from sightline.data.measures import MEASURES, measure
from sightline.data.preprocess import Pixels

HEADER = [
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
# The hash is BLAKE2b of the pixels and their shape; zeros where the picture cannot be read.
# The signature is what `duplicates` tells near copies by.
RECORD = np.dtype([("hash", "V16"), *HEADER, *MEASURES.descr, ("signature", "u1", (SIGNATURE_BYTES,))])


def records_of(headers: Sequence[Header], images: Sequence[Pixels]) -> NDArray[np.void]:
    """The records (n,) of n pictures: their headers, and their pixels uint8 (H, W, C) as decoded."""
    records = np.zeros(len(images), RECORD)
    records["hash"] = np.array([pixel_hash(image) for image in images], "V16")
    for name, _ in HEADER:
        records[name] = [getattr(header, name) for header in headers]
    records["signature"] = signatures(images)
    measures = measure(images)
    for name in MEASURES.names or ():
        records[name] = measures[name]
    return records


def pixel_hash(image: Pixels) -> bytes:
    """BLAKE2b of the shape and the pixels, 16 bytes."""
    digest = hashlib.blake2b(str(image.shape).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(image).data)
    return digest.digest()


def hexadecimal(records: NDArray[np.void]) -> list[str]:
    """The hashes of records (N,) as text, 32 digits each; empty where the picture cannot be read."""
    texts = [h.tobytes().hex() for h in records["hash"]]
    return ["" if text == "0" * 32 else text for text in texts]
