"""Reading every picture for its looks. Comes in: a Dataset; goes out: LOOK records, with measures and a signature.

What `checks` look at. A training needs neither measures nor signatures, which cost a fifth of decoding small pictures
and take 430 bytes a row. Must not know labels, splits, networks or torch.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.data.copies.duplicates import SIGNATURE_BYTES, signatures
from sightline.data.dataset import Dataset, Images
from sightline.data.decode import Header
from sightline.data.medical.greys import for_display
from sightline.data.preprocess import Pixels
from sightline.data.reading.measures import MEASURES, measure
from sightline.data.reading.records import RECORD, record_of
from sightline.data.reading.scan import HASH_SIDE, in_threads, reason_or

# The signature is what `duplicates` tells near copies by.
LOOK = np.dtype([*RECORD.descr, *MEASURES.descr, ("signature", "u1", (SIGNATURE_BYTES,))])
# Pictures that a thread reads before it measures them together, and the bytes of pixels that may wait for that.
CHUNK = 64
CHUNK_BYTES = 2**24


@dataclass(frozen=True)
class Looks:
    """records: LOOK (N,), zeros for a bad row. bad: path -> reason."""

    records: NDArray[np.void]
    bad: dict[str, str]


Reason = str | None  # why a picture cannot be read


def look(
    dataset: Dataset,
    num_workers: int | None = None,
    progress: Callable[[Iterator[Reason], int], Iterable[Reason]] = lambda results, total: results,
) -> Looks:
    """Read every picture once. `progress` wraps the iteration over rows (and is told how many there are)."""
    dataset.expect(np.arange(len(dataset)))
    records = np.zeros(len(dataset), LOOK)

    def read(rows: range) -> list[Reason]:
        return _read_rows(dataset.images, rows, records)

    size = min(CHUNK, -(-len(dataset) // (8 * (num_workers or os.cpu_count() or 1))))
    chunks = (range(start, min(start + size, len(dataset))) for start in range(0, len(dataset), size))
    reasons = (reason for chunk in in_threads(read, chunks, num_workers) for reason in chunk)
    seen = enumerate(progress(reasons, len(dataset)))
    return Looks(records, {dataset.paths[row]: reason for row, reason in seen if reason is not None})


def looks_of(headers: Sequence[Header], images: Sequence[Pixels]) -> NDArray[np.void]:
    """The LOOK records (n,) of n pictures: their headers, and their pixels (H, W, C) as decoded."""
    records = np.zeros(len(images), LOOK)
    records[list(RECORD.names or ())] = np.array(
        [record_of(header, image) for header, image in zip(headers, images, strict=True)], RECORD
    )
    shown = [for_display(image) for image in images]
    records["signature"] = signatures(shown)
    records[list(MEASURES.names or ())] = measure(shown)
    return records


def _read_rows(images: Images, rows: range, records: NDArray[np.void]) -> list[Reason]:
    """Read some rows in one thread: their records are filled in, and why any could not be read is told."""

    def read(row: int) -> tuple[Header, Pixels]:
        return images.read(row, HASH_SIDE)

    attempt, reasons = reason_or(read), list[Reason]()
    good, headers, pictures, num_bytes = list[int](), list[Header](), list[Pixels](), 0
    for row in rows:
        found = attempt(row)
        reasons.append(found if isinstance(found, str) else None)
        if isinstance(found, str):
            continue
        good.append(row)
        headers.append(found[0])
        pictures.append(found[1])
        num_bytes += found[1].nbytes
        if num_bytes > CHUNK_BYTES:
            records[good] = looks_of(headers, pictures)
            good, headers, pictures, num_bytes = [], [], [], 0
    if good:
        records[good] = looks_of(headers, pictures)
    return reasons
