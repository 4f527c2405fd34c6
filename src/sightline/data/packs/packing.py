"""What of a data set is kept in the cache, under which key, and what of it is still good.

Comes in: a Dataset and a Preprocessing; goes out: keys, stamps, and the rows of an older pack whose files are as they
were. Must not know how pictures are decoded, or where the cache lies.
"""

import contextlib
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.data.dataset import Dataset, FileImages
from sightline.data.decode import DECODER, PACKAGES
from sightline.data.packs.cache import Cache, Growing, Key
from sightline.data.packs.pack import Pack, PackError
from sightline.data.preprocess import MIN_DECODE_SIDE, Pixels, Preprocessing
from sightline.data.reading.records import RECORD, Record

# Below this many files there is next to nothing to gain (0.2 s for 1,000 small ones), and a fsync to lose.
MIN_FILES = 200


class Packing:
    """A data set on its way into the cache; `old` holds what an earlier one had of it."""

    def __init__(self, cache: Cache, growing: Growing, stamps: NDArray[np.void], old: Pack | None) -> None:
        self.cache, self.growing, self.stamps, self.old = cache, growing, stamps, old
        self.row_in_old = np.full(len(stamps), -1) if old is None else _rows_of(stamps, old)
        self.records = None if old is None else contents(old)

    def known(self, row: int) -> tuple[Record, bool, Pixels] | None:
        """Record, colour or not, and canvas of a row whose file is as it was; None where it has to be read."""
        position = int(self.row_in_old[row])
        if position < 0 or self.old is None or self.records is None:
            return None
        try:
            canvas = self.old.canvas(position)
        except PackError as error:
            self.cache.discard(self.old.path, str(error))
            self.old = None
            return None
        records, is_colour, _ = self.records
        return None if canvas is None else (records[position].item(), bool(is_colour[position]), canvas)

    def finish(
        self,
        dataset: Dataset,
        preprocessing: Preprocessing,
        records: NDArray[np.void],
        is_colour: NDArray[np.bool_],
        bad: Mapping[int, str],
    ) -> Pack | None:
        """The finished pack; None where it could not be written. Says what was kept."""
        facts = {
            "source": dataset.source or dataset.location,
            "num_pictures": len(dataset),
            "preprocessing": _canvas_facts(preprocessing),
            "bad": {str(row): reason for row, reason in bad.items()},
        }
        columns = {"stamp": self.stamps, "record": records, "is_colour": is_colour}
        pack = self.growing.finish(facts, columns)
        if pack is not None:
            del pack.columns["stamp"]
            left_out, size = self.growing.num_left_out, f"{pack.num_bytes / 1e6:,.1f} MB"
            rest = f"; {left_out:,} of {len(dataset):,} found no room there and are decoded every epoch"
            self.cache.say(
                f"Pictures: decoded, {size} are kept in {self.cache.folder} for the next training"
                + (rest if left_out else "")
            )
        return pack


def pays(dataset: Dataset) -> bool:
    """Whether decoded pictures are worth a place on the disk. Arrays are decoded already, whatever their size."""
    return isinstance(dataset.images, FileImages) and len(dataset) >= MIN_FILES


def stamps_of(dataset: Dataset) -> NDArray[np.void]:
    """16 bytes a row, (N,), that are others as soon as its file is."""
    assert isinstance(dataset.images, FileImages), "see pays()"
    return dataset.images.stamps(range(len(dataset)))


def pack_key(dataset: Dataset, preprocessing: Preprocessing) -> Key:
    """Depends on where the data are and on all that changes a canvas or a record, but on no file's content: that is
    the stamps' business, so that of a data set that has grown the old pictures are not decoded again."""
    return _key(dataset, [np.lib.format.dtype_to_descr(RECORD), _canvas_facts(preprocessing)])


def survey_key(dataset: Dataset, sample: Sequence[int]) -> Key:
    """Depends on the sample's files, content and labels, and on what is looked at."""
    assert isinstance(dataset.images, FileImages), "see pays()"
    labels = dataset.labels[list(sample)].tobytes().hex()
    return _key(dataset, ["survey 2", dataset.images.stamps(sample).tobytes().hex(), labels])


def is_of(pack: Pack, stamps: NDArray[np.void]) -> bool:
    """Whether the pack is of these very files, row by row."""
    return len(pack) == len(stamps) and bool((pack.columns["stamp"] == stamps).all())


def contents(pack: Pack) -> tuple[NDArray[np.void], NDArray[np.bool_], dict[int, str]]:
    """RECORD (N,), colour or not (N,), and why rows cannot be read, as far as that will not pass."""
    bad: dict[str, str] = pack.facts["bad"]
    return pack.columns["record"], pack.columns["is_colour"], {int(row): reason for row, reason in bad.items()}


def is_bad(records: NDArray[np.void]) -> NDArray[np.bool_]:
    """Which rows could not be read, (N,)."""
    return np.asarray(_comparable(records["hash"]) == b"")


def _comparable(column: NDArray[np.void]) -> NDArray[np.bytes_]:
    """16 bytes a row as numpy can sort them. Zeros at the end do not count there, which tells just as much apart."""
    return np.ascontiguousarray(column).view("S16")


def _rows_of(stamps: NDArray[np.void], old: Pack) -> NDArray[np.intp]:
    """For each stamp the row of `old` with the same, if it has a canvas; else -1."""
    theirs, ours = _comparable(old.columns["stamp"]), _comparable(stamps)
    if not len(theirs):
        return np.full(len(ours), -1)
    order = theirs.argsort()
    place = np.minimum(theirs.searchsorted(ours, sorter=order), len(theirs) - 1)
    rows = order[place]
    return np.where((theirs[rows] == ours) & old.has_canvas[rows], rows, -1)


def _canvas_facts(preprocessing: Preprocessing) -> dict[str, Any]:
    """The fields on which a canvas depends: without those that come after it."""
    facts = asdict(preprocessing)
    del facts["std"]
    if preprocessing.fit != "pad":  # which fills up with the mean colour
        del facts["mean"]
    return facts


def _key(dataset: Dataset, parts: list[object]) -> Key:
    source = dataset.source or dataset.location
    name = re.sub(r"[^\w.-]+", "_", Path(source).name.partition(".")[0])[:40].strip("_") or "pictures"
    text = json.dumps([DECODER, _versions(), MIN_DECODE_SIDE, source, parts])
    return Key(name, hashlib.blake2b(text.encode(), digest_size=8).hexdigest())


def decoding() -> dict[str, object]:
    """What canvases depend on besides their pictures and the preprocessing."""
    return {"decoder": DECODER, "versions": _versions(), "side": MIN_DECODE_SIDE}


@cache
def _versions() -> dict[str, str]:
    """Of the packages that turn bytes into canvases, as far as they are installed."""
    versions = {}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions
