"""Reading every picture once, before training. Comes in: a Dataset; goes out: the record of each, the bad files, and
the decoded pictures where they fit into memory.

`survey` looks at a sample to choose defaults; `scan` reads all. Decoding runs in threads (Pillow lets go of the
interpreter lock). Must not know networks or torch.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sightline.data.dataset import ArrayImages, Dataset, Images
from sightline.data.decode import PictureError
from sightline.data.preprocess import MIN_DECODE_SIDE, Pixels, Preprocessing
from sightline.data.records import RECORD, Record, record_of, records_of_array
from sightline.errors import BadPicturesError

# A JPEG is hashed at the smallest scaled decoding whose short side reaches this, so that the hash of a picture
# does not depend on the network's input size, and large photographs need not be decoded in full.
HASH_SIDE = MIN_DECODE_SIDE
# Decoded pictures may take this share of the memory that is free; beyond it they are decoded every epoch.
MEMORY_SHARE = 0.4
NUM_SURVEYED = 256
KEPT_BLOCK = 31 * 2**20  # bytes; 32 MiB is the most that glibc learns from

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True)
class Survey:
    """What a sample of the pictures looks like: median sides in pixels, all grey or not, mean and std in 0..1."""

    height: int
    width: int
    same_size: bool
    grey: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Scan:
    """records: RECORD (N,), zeros for a bad row. bad: path -> reason. canvases: row -> pixels, or None if too large."""

    records: NDArray[np.void]
    bad: dict[str, str]
    canvases: Sequence[Pixels] | Pixels | None
    num_colour_to_grey: int


def survey(dataset: Dataset, rows: NDArray[np.intp]) -> Survey:
    """Look at up to 256 of `rows`. Raises BadPicturesError if none of them can be read."""
    sample = np.random.default_rng(0).permutation(rows)[:NUM_SURVEYED]
    sizes, pixels, bad = [], list[Pixels](), {}

    def look(row: int) -> tuple[tuple[int, int], Pixels]:
        return dataset.images.size(row), dataset.images.pixels(row, 64)

    for result, row in zip(in_threads(reason_or(look), sample.tolist()), sample.tolist(), strict=True):
        if isinstance(result, str):
            bad[dataset.paths[row]] = result
        else:
            sizes.append(result[0])
            pixels.append(result[1].reshape(-1, result[1].shape[2]))
    if not pixels:
        raise BadPicturesError(bad)
    grey = all(p.shape[1] == 1 for p in pixels)
    flat = np.concatenate([p if grey or p.shape[1] == 3 else np.repeat(p, 3, axis=1) for p in pixels]) / 255
    height, width = np.median(sizes, axis=0).astype(int)
    # A constant colour has std 0; the floor of one grey level keeps the division finite.
    deep = any(p.dtype != np.uint8 for p in pixels)
    num_levels, digits = (65535, 6) if deep else (255, 4)
    std = np.maximum(flat.std(axis=0), 1 / num_levels)
    mean, std = (tuple(round(float(v), digits) for v in values) for values in (flat.mean(axis=0), std))
    return Survey(int(height), int(width), len(set(sizes)) == 1, grey, mean, std)


Read = tuple[Record, bool, Pixels | None] | str  # record, colour or not, canvas if kept; or why it cannot be read


def scan(
    dataset: Dataset,
    preprocessing: Preprocessing,
    num_workers: int | None = None,
    progress: Callable[[Iterator[Read], int], Iterable[Read]] = lambda results, total: results,
) -> Scan:
    """Decode every picture once. `progress` wraps the iteration over rows (and is told how many there are)."""
    frame_bytes = 2 * preprocessing.height * preprocessing.width * preprocessing.channels
    room = MEMORY_SHARE * free_memory()
    keep = len(dataset) * frame_bytes < room
    whole = _as_is(dataset, preprocessing)
    if whole is not None:
        return Scan(records_of_array(whole), {}, whole, 0)
    side = preprocessing.decode_side() if keep else HASH_SIDE
    dataset.expect(np.arange(len(dataset)))

    def read(row: int) -> Read:
        record, image = read_record(dataset.images, row, side)
        kept = preprocessing.canvas(image) if keep else None
        return record, image.shape[2] > preprocessing.channels, kept

    records, canvases, bad, num_colour = np.zeros(len(dataset), RECORD), list[Pixels | None](), dict[str, str](), 0
    results = in_threads(reason_or(read), range(len(dataset)), num_workers)
    for row, result in enumerate(progress(results, len(dataset))):
        if isinstance(result, str):
            bad[dataset.paths[row]] = result
            canvases.append(None)
        else:
            records[row], colour, canvas = result
            num_colour += colour and preprocessing.channels == 1
            room -= canvas.nbytes if canvas is not None else 0
            if room < 0:  # float32 pictures are four times as large
                keep = False
                canvases.clear()
            canvases.append(canvas if keep else None)
    return Scan(records, bad, canvases if keep else None, num_colour)  # type: ignore[arg-type]  # None: a bad row


def read_record(images: Images, row: int, min_side: int) -> tuple[Record, Pixels]:
    """A picture's record, and its pixels with a short side of at least `min_side`; from one decoding if it can be."""
    header, image = images.read(row, HASH_SIDE)
    return record_of(header, image), (images.pixels(row, min_side) if min_side > HASH_SIDE else image)


def in_threads(function: Callable[[In], Out], items: Iterable[In], num_workers: int | None = None) -> Iterator[Out]:
    """`map` over threads, in order, with a bounded number of results waiting, so that memory stays flat."""
    keep_freed_memory()
    num_workers = num_workers or os.cpu_count() or 1
    items = iter(items)
    with ThreadPoolExecutor(num_workers) as pool:
        pending = deque(pool.submit(function, item) for item in islice(items, 16 * num_workers))
        try:
            while pending:
                yield pending.popleft().result()
                pending.extend(pool.submit(function, item) for item in islice(items, 1))
        finally:
            for future in pending:
                future.cancel()


def keep_freed_memory() -> None:
    """Let the C library keep the memory of one picture for the next, rather than hand it back to the system each time.

    glibc learns from the largest block that was freed (mallopt(3), M_MMAP_THRESHOLD): one that is never touched costs
    ten microseconds, once, and halves the time from an array of half a megapixel to its resized copy (0.83 -> 0.29 ms),
    most of which was the system's zeroing of fresh pages. Elsewhere it does nothing.
    """
    np.empty(KEPT_BLOCK, np.uint8)


def free_memory() -> int:
    """Bytes of physical memory that are free now; 2 GiB where the system does not tell."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 2 * 2**30


def reason_or(read: Callable[[In], Out]) -> Callable[[In], Out | str]:
    """`read`, with the reason (a text) in place of an error about a picture."""

    def attempt(item: In) -> Out | str:
        try:
            return read(item)
        except PictureError as error:
            return str(error)
        except FileNotFoundError:
            return "no such file"
        except OSError as error:
            return error.strerror or str(error)

    return attempt


def _as_is(dataset: Dataset, preprocessing: Preprocessing) -> Pixels | None:
    """The array behind the data set, where its pictures need no preprocessing."""
    images = dataset.images
    if not isinstance(images, ArrayImages) or not isinstance(images.array, np.ndarray):
        return None
    first = images.array[0]
    canvas = preprocessing.canvas(first)
    return images.array if canvas.shape == first.shape and np.shares_memory(canvas, first) else None
