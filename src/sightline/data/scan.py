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
from sightline.data.decode import Header, PictureError
from sightline.data.preprocess import MIN_DECODE_SIDE, Pixels, Preprocessing
from sightline.data.records import RECORD, records_of
from sightline.errors import BadPicturesError

# A JPEG is hashed at the smallest scaled decoding whose short side reaches this, so that the hash of a picture
# does not depend on the network's input size, and large photographs need not be decoded in full.
HASH_SIDE = MIN_DECODE_SIDE
# Decoded pictures may take this share of the memory that is free; beyond it they are decoded every epoch.
MEMORY_SHARE = 0.4
NUM_SURVEYED = 256
# Pictures that a thread reads before it measures them together, and the bytes of pixels that may wait for that.
CHUNK = 64
CHUNK_BYTES = 2**24

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
    sizes, pixels, bad = [], [], {}

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
    std = np.maximum(flat.std(axis=0), 1 / 255)
    mean = tuple(round(float(v), 4) for v in flat.mean(axis=0))
    return Survey(int(height), int(width), len(set(sizes)) == 1, grey, mean, tuple(round(float(v), 4) for v in std))


Read = tuple[bool, Pixels | None] | str  # colour or not, canvas if kept; or why the picture cannot be read


def scan(
    dataset: Dataset,
    preprocessing: Preprocessing | None = None,
    num_workers: int | None = None,
    progress: Callable[[Iterator[Read], int], Iterable[Read]] = lambda results, total: results,
) -> Scan:
    """Decode every picture once. `progress` wraps the iteration over rows (and is told how many there are).

    Without `preprocessing` no canvas is kept.
    """
    whole = _as_is(dataset, preprocessing) if preprocessing is not None else None
    kept = preprocessing if whole is None and _fits(dataset, preprocessing) else None
    dataset.expect(np.arange(len(dataset)))
    records, canvases, bad, num_colour = np.zeros(len(dataset), RECORD), list[Pixels | None](), dict[str, str](), 0

    def read_rows(rows: range) -> list[Read]:
        return _read_rows(dataset.images, rows, kept, records)

    size = min(CHUNK, -(-len(dataset) // (8 * (num_workers or os.cpu_count() or 1))))
    chunks = (range(start, min(start + size, len(dataset))) for start in range(0, len(dataset), size))
    results = (result for chunk in in_threads(read_rows, chunks, num_workers) for result in chunk)
    for row, result in enumerate(progress(results, len(dataset))):
        if isinstance(result, str):
            bad[dataset.paths[row]] = result
            canvases.append(None)
        else:
            colour, canvas = result
            canvases.append(canvas)
            num_colour += preprocessing is not None and colour and preprocessing.channels == 1
    if whole is not None:
        return Scan(records, bad, whole, 0)
    return Scan(records, bad, canvases if kept else None, num_colour)  # type: ignore[arg-type]  # None: a bad row


def _fits(dataset: Dataset, preprocessing: Preprocessing | None) -> bool:
    """Whether the decoded pictures may be kept in memory."""
    if preprocessing is None:
        return False
    frame_bytes = 2 * preprocessing.height * preprocessing.width * preprocessing.channels
    return len(dataset) * frame_bytes < MEMORY_SHARE * free_memory()


def _read_rows(images: Images, rows: range, kept: Preprocessing | None, records: NDArray[np.void]) -> list[Read]:
    """Read some rows in one thread: their records are filled in, and what became of each is told."""
    side = kept.decode_side() if kept is not None else HASH_SIDE

    def read(row: int) -> tuple[Header, Pixels, Pixels]:
        return read_picture(images, row, side)

    attempt, results = reason_or(read), list[Read]()
    good, headers, pictures, num_bytes = list[int](), list[Header](), list[Pixels](), 0
    for row in rows:
        found = attempt(row)
        if isinstance(found, str):
            results.append(found)
            continue
        header, picture, larger = found
        results.append((picture.shape[2] == 3, kept.canvas(larger) if kept is not None else None))
        good.append(row)
        headers.append(header)
        pictures.append(picture)
        num_bytes += picture.nbytes
        if num_bytes > CHUNK_BYTES:
            records[good] = records_of(headers, pictures)
            good, headers, pictures, num_bytes = [], [], [], 0
    if good:
        records[good] = records_of(headers, pictures)
    return results


def read_picture(images: Images, row: int, min_side: int) -> tuple[Header, Pixels, Pixels]:
    """A picture's header, the pixels that are hashed, and those with a short side of at least `min_side`.

    From one decoding if it can be.
    """
    header, image = images.read(row, HASH_SIDE)
    return header, image, (images.pixels(row, min_side) if min_side > HASH_SIDE else image)


def in_threads(function: Callable[[In], Out], items: Iterable[In], num_workers: int | None = None) -> Iterator[Out]:
    """`map` over threads, in order, with a bounded number of results waiting, so that memory stays flat."""
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


def _as_is(dataset: Dataset, preprocessing: Preprocessing) -> NDArray[np.uint8] | None:
    """The array behind the data set, where its pictures need no preprocessing."""
    images = dataset.images
    if not isinstance(images, ArrayImages) or not isinstance(images.array, np.ndarray):
        return None
    first = images.array[0]
    canvas = preprocessing.canvas(first)
    return images.array if canvas.shape == first.shape and np.shares_memory(canvas, first) else None
