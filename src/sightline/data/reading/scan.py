"""Reading every picture once, before training. Comes in: a Dataset; goes out: the record of each, the bad files, and
the decoded pictures where they fit into memory.

`survey` looks at a sample to choose defaults; `scan` reads all. Decoding runs in threads (Pillow lets go of the
interpreter lock). Must not know networks or torch.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sightline.data.dataset import ArrayImages, Dataset, Images
from sightline.data.decode import PictureError
from sightline.data.packs.cache import Cache
from sightline.data.packs.canvases import Canvases
from sightline.data.packs.pack import Pack
from sightline.data.packs.packing import Packing, contents, is_bad, is_of, pack_key, pays, stamps_of, survey_key
from sightline.data.preprocess import MIN_DECODE_SIDE, Pixels, Preprocessing
from sightline.data.reading.neighbours import likeness
from sightline.data.reading.records import RECORD, Record, record_of, records_of_array
from sightline.errors import BadPicturesError
from sightline.machine import num_cores
from sightline.memory import free_memory, keep_freed_memory

# A JPEG is hashed at the smallest scaled decoding whose short side reaches this, so that the hash of a picture
# does not depend on the network's input size, and large photographs need not be decoded in full.
HASH_SIDE = MIN_DECODE_SIDE
# Decoded pictures may take this share of the memory that is free; beyond it they are decoded every epoch.
MEMORY_SHARE = 0.4
NUM_SURVEYED = 256
NUM_COMPARED = 1000  # of small pictures, that one's nearest neighbour may be found
SMALL_SIDE = 64  # pixels; up to here they are small

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True)
class Survey:
    """What a sample of the pictures looks like: median sides in pixels, all grey or not, mean and std in 0..1.

    alike      how far small pictures of one class are alike, 0..1, see `neighbours`; None: not looked at
    in_mirror  whether they are as alike in the mirror
    """

    height: int
    width: int
    same_size: bool
    grey: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    alike: float | None = None
    in_mirror: bool = False

    @property
    def is_small(self) -> bool:
        """Whether the pictures are."""
        return max(self.height, self.width) <= SMALL_SIDE


@dataclass(frozen=True)
class Scan:
    """records: RECORD (N,), zeros for a bad row. bad: path -> reason. canvases: row -> pixels, or None if too large."""

    records: NDArray[np.void]
    bad: dict[str, str]
    canvases: Sequence[Pixels] | Pixels | None
    num_colour_to_grey: int


class PassingReason(str):
    """Why a picture cannot be read now, though it might be the next time: the disk, the memory, the rights to it."""


def survey(dataset: Dataset, rows: NDArray[np.intp], cache: Cache | None = None) -> Survey:
    """Look at up to 256 of `rows`, at more where they are small, or recall what was seen.

    Raises BadPicturesError if none of them can be read.
    """
    sample = np.random.default_rng(0).permutation(rows)[:NUM_COMPARED].tolist()
    key = survey_key(dataset, sample) if cache is not None and pays(dataset) else None
    if cache is not None and key is not None and (note := cache.recall(key)) is not None:
        with contextlib.suppress(KeyError, TypeError):  # something else lies there: look again
            return Survey(**{**note, "mean": tuple(note["mean"]), "std": tuple(note["std"])})
    found, is_lasting = _survey(dataset, sample)
    if cache is not None and key is not None and is_lasting:
        cache.remember(key, asdict(found))
    return found


def _survey(dataset: Dataset, sample: list[int]) -> tuple[Survey, bool]:
    """What the pictures of `sample` look like, and whether they will look so the next time."""
    seen, bad = dict[int, tuple[tuple[int, int], Pixels]](), dict[str, str]()

    def look(rows: list[int]) -> None:
        for result, row in zip(in_threads(reason_or(one), rows), rows, strict=True):
            if isinstance(result, str):
                bad[dataset.paths[row]] = result
            else:
                seen[row] = result

    def one(row: int) -> tuple[tuple[int, int], Pixels]:
        return dataset.images.size(row), dataset.images.pixels(row, SMALL_SIDE)

    look(sample[:NUM_SURVEYED])
    if not seen:
        raise BadPicturesError(bad)
    sizes = [size for size, _ in seen.values()]
    pixels = [picture.reshape(-1, picture.shape[2]) for _, picture in seen.values()]
    grey = all(p.shape[1] == 1 for p in pixels)
    flat = np.concatenate([p if grey or p.shape[1] == 3 else np.repeat(p, 3, axis=1) for p in pixels]) / 255
    height, width = np.median(sizes, axis=0).astype(int)
    # A constant colour has std 0; the floor of one grey level keeps the division finite.
    deep = any(p.dtype != np.uint8 for p in pixels)
    num_levels, digits = (65535, 6) if deep else (255, 4)
    floored = np.maximum(flat.std(axis=0), 1 / num_levels)
    mean, std = (tuple(round(float(v), digits) for v in values) for values in (flat.mean(axis=0), floored))
    found = Survey(int(height), int(width), len(set(sizes)) == 1, grey, mean, std)
    if found.is_small and dataset.task == "single":
        look(sample[NUM_SURVEYED:])
        labels = dataset.labels[list(seen)].astype(np.int64)
        share, in_mirror = likeness([picture for _, picture in seen.values()], labels)
        found = replace(found, alike=share, in_mirror=in_mirror)
    is_lasting = not any(isinstance(reason, PassingReason) for reason in bad.values())
    return found, is_lasting


Read = tuple[Record, bool, Pixels | None] | str  # record, colour or not, canvas if kept; or why it cannot be read


Track = Callable[[Iterator[Read], int], Iterable[Read]]


def scan(
    dataset: Dataset,
    preprocessing: Preprocessing,
    num_workers: int | None = None,
    progress: Track = lambda results, total: results,
    cache: Cache | None = None,
) -> Scan:
    """Decode every picture once, or not at all where `cache` has them all.

    `progress` wraps the iteration over rows (and is told how many there are).
    """
    whole = _as_is(dataset, preprocessing)
    if whole is not None:
        return Scan(records_of_array(whole), {}, whole, 0)
    if cache is None or not pays(dataset) or cache.max_bytes == 0:
        return _scan(dataset, preprocessing, num_workers, progress, None)
    stamps = stamps_of(dataset)  # before anything is read: a file that changes meanwhile has another the next time
    key = pack_key(dataset, preprocessing)
    with cache.claim(key, preprocessing.channels, lambda pack: is_of(pack, stamps)) as (pack, growing):
        if growing is not None:
            return _scan(dataset, preprocessing, num_workers, progress, Packing(cache, growing, stamps, pack))
    if pack is None:
        return _scan(dataset, preprocessing, num_workers, progress, None)
    cache.say(f"Pictures: decoded before, {pack.num_bytes / 1e6:,.1f} MB in {cache.folder}")
    return _unpacked(dataset, preprocessing, pack, cache)


def _scan(
    dataset: Dataset, preprocessing: Preprocessing, num_workers: int | None, progress: Track, packing: Packing | None
) -> Scan:
    """Read every row; `packing` has some of them perhaps, and takes all."""
    frame_bytes = 2 * preprocessing.height * preprocessing.width * preprocessing.channels
    room = MEMORY_SHARE * free_memory()
    fits = len(dataset) * frame_bytes < room
    keep = fits and packing is None
    side = preprocessing.decode_side() if keep or packing is not None else HASH_SIDE

    def read(row: int) -> Read:
        if packing is not None and (known := packing.known(row)) is not None:
            return known
        record, image = read_record(dataset.images, row, side)
        kept = preprocessing.canvas(image) if keep or packing is not None else None
        return record, image.shape[2] > preprocessing.channels, kept

    dataset.expect(np.arange(len(dataset)))
    records, canvases, bad = np.zeros(len(dataset), RECORD), list[Pixels | None](), dict[int, str]()
    is_colour = np.zeros(len(dataset), bool)
    results = in_threads(reason_or(read), range(len(dataset)), num_workers)
    for row, result in enumerate(progress(results, len(dataset))):
        canvas = None
        if isinstance(result, str):
            bad[row] = result
        else:
            records[row], is_colour[row], canvas = result
        if packing is not None:
            packing.growing.add(canvas)
        else:
            room -= canvas.nbytes if canvas is not None else 0
            if room < 0:  # float32 pictures are four times as large
                keep = False
                canvases.clear()
            canvases.append(canvas if keep else None)
    reasons, num_colour = {dataset.paths[row]: reason for row, reason in bad.items()}, int(is_colour.sum())
    if packing is None:
        return Scan(records, reasons, canvases if keep else None, num_colour)  # type: ignore[arg-type]  # None: a bad row
    lasting = {row: reason for row, reason in bad.items() if not isinstance(reason, PassingReason)}
    pack = packing.finish(dataset, preprocessing, records, is_colour, lasting)
    if pack is None and not fits:
        return Scan(records, reasons, None, num_colour)
    remembered: list[Pixels | None] | None = [None] * len(dataset) if pack is None else None
    return Scan(records, reasons, Canvases(dataset.images, preprocessing, packing.cache, pack, remembered), num_colour)


def _unpacked(dataset: Dataset, preprocessing: Preprocessing, pack: Pack, cache: Cache) -> Scan:
    """What an earlier reading found. Files that could not be read for a passing reason are tried again."""

    def read(row: int) -> tuple[Record, Pixels]:
        return read_record(dataset.images, row, HASH_SIDE)

    records, is_colour, lasting = contents(pack)
    del pack.columns["stamp"]
    bad = {}
    for row in np.flatnonzero(is_bad(records)).tolist():
        reason = lasting.get(row)
        if reason is None:
            result = reason_or(read)(row)
            if isinstance(result, str):
                reason = result
            else:
                records[row], is_colour[row] = result[0], result[1].shape[2] > preprocessing.channels
        if reason is not None:
            bad[dataset.paths[row]] = reason
    canvases = Canvases(dataset.images, preprocessing, cache, pack, None)
    return Scan(records, bad, canvases, int(is_colour.sum()))


def read_record(images: Images, row: int, min_side: int) -> tuple[Record, Pixels]:
    """A picture's record, and its pixels with a short side of at least `min_side`; from one decoding if it can be."""
    header, image = images.read(row, HASH_SIDE)
    height, width = image.shape[:2]
    suffices = min(height, width) >= min_side or height * width == header.height * header.width
    return record_of(header, image), image if suffices else images.pixels(row, min_side)


def in_threads(function: Callable[[In], Out], items: Iterable[In], num_workers: int | None = None) -> Iterator[Out]:
    """`map` over threads, in order, with a bounded number of results waiting, so that memory stays flat.

    `num_workers`: None, as many as there are cores; 0, no thread but the caller's.
    """
    keep_freed_memory()
    if num_workers == 0:
        yield from map(function, items)
        return
    num_workers = num_workers or num_cores()
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


def reason_or(read: Callable[[In], Out]) -> Callable[[In], Out | str]:
    """`read`, with the reason (a text) in place of an error about a picture."""

    def attempt(item: In) -> Out | str:
        try:
            return read(item)
        except PictureError as error:
            is_passing = isinstance(error.__cause__, MemoryError | OSError) and not _is_pillows(error.__cause__)
            return PassingReason(error) if is_passing else str(error)
        except FileNotFoundError:
            return "no such file"
        except OSError as error:
            return PassingReason(error.strerror or str(error))

    return attempt


def _is_pillows(error: BaseException) -> bool:
    """An OSError that Pillow raises for damaged content bears no number of the system's."""
    return isinstance(error, OSError) and error.errno is None


def _as_is(dataset: Dataset, preprocessing: Preprocessing) -> Pixels | None:
    """The array behind the data set, where its pictures need no preprocessing."""
    images = dataset.images
    if not isinstance(images, ArrayImages) or not isinstance(images.array, np.ndarray):
        return None
    first = images.array[0]
    canvas = preprocessing.canvas(first)
    return images.array if canvas.shape == first.shape and np.shares_memory(canvas, first) else None
