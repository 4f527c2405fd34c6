"""Reading every picture for its looks. Comes in: a Dataset; goes out: LOOK records, with measures and a signature.

What `checks` look at. A training needs neither measures nor signatures, which cost a fifth of decoding small pictures
and take 430 bytes a row. Must not know labels, splits, networks or torch.
"""

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sightline.data.copies.signature import MAX_SIDE, SIGNATURE_BYTES, first_alike, signatures, signatures_of
from sightline.data.dataset import Dataset, FileImages, Images
from sightline.data.decode import Header, PictureError
from sightline.data.medical.greys import for_display
from sightline.data.preprocess import Pixels
from sightline.data.reading.blas import one_blas_thread
from sightline.data.reading.luma import luma
from sightline.data.reading.measures import MEASURES, measure, measures_of
from sightline.data.reading.processes import Processes
from sightline.data.reading.records import RECORD, SAID, pixel_hash, said
from sightline.data.reading.scan import HASH_SIDE, in_threads, reason_or
from sightline.data.storage.store import FolderStore
from sightline.machine import num_cores
from sightline.memory import keep_freed_memory

# The signature is what `duplicates` tells near copies by. The hash is that of a RECORD only where another picture has
# the same signature; elsewhere it is a number that no other picture has.
LOOK = np.dtype([*RECORD.descr, *MEASURES.descr, ("signature", "u1", (SIGNATURE_BYTES,))])
# Pictures that a thread reads before it measures them together, and the bytes of pixels that may wait for that.
CHUNK = 128
CHUNK_BYTES = 2**24
# From so many pictures on, whose longer side is at most so many pixels, processes take the place of threads. A process
# takes 0.3 s to start, in which one core reads 3,000 of 32x32; of larger pictures most of the time goes into decoding,
# which threads share as well.
MANY, SMALL, NUM_SAMPLED = 8_000, 128, 16


@dataclass(frozen=True)
class Looks:
    """records: LOOK (N,), zeros for a bad row. bad: path -> reason."""

    records: NDArray[np.void]
    bad: dict[str, str]


Reason = str | None  # why a picture cannot be read
Found = tuple[NDArray[np.void], list[Reason]]  # of some rows


def look(
    dataset: Dataset,
    num_workers: int | None = None,
    progress: Callable[[Iterator[Reason], int], Iterable[Reason]] = lambda results, total: results,
) -> Looks:
    """Read every picture once. `progress` wraps the iteration over rows (and is told how many there are)."""
    dataset.expect(np.arange(len(dataset)))
    records, bad = np.zeros(len(dataset), LOOK), dict[int, str]()
    num = num_cores() if num_workers is None else num_workers
    size = min(CHUNK, -(-len(dataset) // (8 * max(num, 1))))
    chunks = [range(start, min(start + size, len(dataset))) for start in range(0, len(dataset), size)]

    def reasons(read: Callable[[range], Found]) -> Iterator[Reason]:
        for rows, (looks, why) in zip(chunks, in_threads(read, chunks, num), strict=True):
            records[rows.start : rows.stop] = looks
            yield from why

    with one_blas_thread(), contextlib.ExitStack() as stack:
        read: Callable[[range], Found] = partial(look_at, dataset.images)
        if num > 1 and in_processes(dataset.images):
            read = stack.enter_context(Processes(look_at, dataset.images, num))
        for row, reason in enumerate(progress(reasons(read), len(dataset))):
            if reason is not None:
                bad[row] = reason
    bad |= _tell_apart(dataset, records, bad, num_workers)
    return Looks(records, {dataset.paths[row]: bad[row] for row in sorted(bad)})


def looks_of(headers: Sequence[Header], images: Sequence[Pixels]) -> NDArray[np.void]:
    """The LOOK records (n,) of n pictures but for the hash: their headers, and their pixels (H, W, C) as decoded."""
    records = np.zeros(len(images), LOOK)
    records[list(SAID.names or ())] = said(headers)
    shown = [for_display(image) for image in images]
    alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for i, image in enumerate(shown):
        alike[image.shape].append(i)
    measured = list(MEASURES.names or ())
    for (height, width, _), members in alike.items():
        some = [shown[i] for i in members]
        if max(height, width) <= MAX_SIDE:  # neither is made smaller first: grey levels once for both
            stacked = np.stack(some)
            grey = luma(stacked)
            records["signature"][members] = signatures_of(stacked, grey)
            records[measured][members] = measures_of(grey)
        else:
            records["signature"][members] = signatures(some)
            records[measured][members] = measure(some)
    return records


def _tell_apart(
    dataset: Dataset, records: NDArray[np.void], bad: Mapping[int, str], num_workers: int | None
) -> dict[int, str]:
    """Fill in the hashes: of the pixels, for which those whose signature is not the only one are read again.

    Any other picture has pixels that no other has, and gets a number of its own: to hash all pixels would be a third
    of the whole check of photographs. Which rows could not be read again, and why, comes back.
    """
    readable = np.array([row not in bad for row in range(len(dataset))])
    owner = first_alike(records["signature"])
    is_shared = readable & (np.bincount(owner[readable], minlength=len(dataset)) > 1)[owner]
    own = np.flatnonzero(readable)
    records["hash"][own] = np.column_stack([own + 1, np.zeros_like(own)]).astype("<u8").view("V16")[:, 0]
    rows = np.flatnonzero(is_shared)
    dataset.expect(rows)

    def hash_of(row: int) -> bytes:
        return pixel_hash(dataset.images.pixels(row, HASH_SIDE))

    gone = dict[int, str]()
    for row, found in zip(rows.tolist(), in_threads(reason_or(hash_of), rows.tolist(), num_workers), strict=True):
        if isinstance(found, str):
            gone[row] = found
            records[row] = np.zeros((), LOOK)
        else:
            records["hash"][row] = np.void(found)
    return gone


def look_at(images: Images, rows: range) -> Found:
    """The LOOK records of some rows but for their hashes, zeros for those that cannot be read, and why each cannot."""

    def read(row: int) -> tuple[Header, Pixels]:
        return images.read(row, HASH_SIDE)

    keep_freed_memory()  # of this process
    attempt, reasons, records = reason_or(read), list[Reason](), np.zeros(len(rows), LOOK)
    good, headers, pictures, num_bytes = list[int](), list[Header](), list[Pixels](), 0
    for place, row in enumerate(rows):
        found = attempt(row)
        reasons.append(found if isinstance(found, str) else None)
        if isinstance(found, str):
            continue
        good.append(place)
        headers.append(found[0])
        pictures.append(found[1])
        num_bytes += found[1].nbytes
        if num_bytes > CHUNK_BYTES:
            records[good] = looks_of(headers, pictures)
            good, headers, pictures, num_bytes = [], [], [], 0
    if good:
        records[good] = looks_of(headers, pictures)
    return records, reasons


def in_processes(images: Images) -> bool:
    """Whether Python's own work on each picture is most of the work, for so many that starting processes pays."""
    if not isinstance(images, FileImages) or not isinstance(images.store, FolderStore) or len(images) < MANY:
        return False
    sides = list[int]()
    for row in range(0, len(images), len(images) // NUM_SAMPLED):
        with contextlib.suppress(PictureError, OSError):
            sides.append(max(images.size(row)))
    return bool(sides) and float(np.median(sides)) <= SMALL
