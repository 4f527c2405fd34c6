"""One format -> another. Comes in: a data set in any format; goes out: a folder that reads back equal, or nothing.

Encoded pictures are copied byte for byte. What is written is read back, by the same reader as any user's data, and
compared before it gets its name: the classes, and for each picture its bytes, label, split, group and further
columns. Must not know any one format.
"""

import dataclasses
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from sightline.data import open_dataset
from sightline.data.dataset import Dataset
from sightline.data.formats._common import check_classes, count, few
from sightline.data.reading.scan import in_threads, reason_or
from sightline.data.storage.names import as_text, natural_key
from sightline.data.writers._samples import Sample, cells_beside, label_cells, samples
from sightline.errors import DataError
from sightline.registry import Registry

WRITERS = Registry("sightline.data.writers", "target", ("lost", "check", "write"))
DIGEST = np.dtype([("high", "<u8"), ("low", "<u8")])  # BLAKE2b of 16 bytes
Progress = Callable[[Iterable[Sample], int, str], Iterable[Sample]]


@dataclass(frozen=True)
class Conversion:
    """What was written, with its rows as in the source, and what there is to say: left aside, lost, renamed."""

    out: Path
    dataset: Dataset
    notes: tuple[str, ...]


def convert(
    data: str | Path, out: Path, to: str, progress: Progress = lambda written, total, what: written
) -> Conversion:
    """Write the data set at `data` to the new folder `out` in the format `to`.

    All is written below a hidden name beside `out`, which is renamed at the end: a conversion that is killed leaves
    nothing by the name `out`. Raises ConfigError for an unknown target, DataError where `out` exists, a name does not
    fit, or what was written does not read back equal, BadPicturesError for files that cannot be read, OSError for a
    full disk.
    """
    writer = WRITERS.get(to)
    _check_out(data, out)
    dataset, notes = _reduced(open_dataset(data), writer)
    if dataset.task == "single":
        check_classes(dataset.location, [dataset.classes[label] for label in dataset.labels], dataset.splits)
    writer.check(dataset)
    left_over = sorted(p.name for p in out.parent.glob(f".{out.name}.*.part")) if out.parent.is_dir() else []
    if left_over:
        notes.append(f"left over from conversions that were killed, to be deleted: {few(left_over)}")
    part = out.parent / f".{out.name}.{os.getpid()}.part"
    part.mkdir(parents=True)
    try:
        digests = np.zeros(len(dataset), DIGEST)
        num_arrays = 0

        def noted() -> Iterator[Sample]:
            nonlocal num_arrays
            for sample in progress(samples(dataset), len(dataset), "writing"):
                digests[sample.row] = _digest(sample.data, sample.cells, sample.split, sample.group, sample.beside)
                num_arrays += sample.from_array
                yield sample

        notes += writer.write(dataset, noted(), part)
        if num_arrays:
            notes.append(f"{num_arrays:,} arrays are written as PNG, which is lossless")
        _check_equal(dataset, digests, part, to)
        part.rename(out)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return Conversion(out, dataset, tuple(notes))


def _check_out(data: str | Path, out: Path) -> None:
    if out.exists() or out.is_symlink():
        raise DataError(f"{out} exists; give the name of a new folder, or remove it first")
    source = Path(data).expanduser()
    if source.is_dir() and source.resolve() in out.resolve().parents:
        raise DataError(f"{out} lies inside {data}, which would change it; give a place outside")


def _reduced(dataset: Dataset, writer: ModuleType) -> tuple[Dataset, list[str]]:
    """The data set less what the target cannot hold, and sentences on that and on what was left aside before."""
    notes = [*dataset.notes]
    lost: dict[str, str] = writer.lost(dataset)
    for field, why in lost.items():
        notes.append(f"the {field} are not written: {why}")
    empty = [dataset.classes[k] for k in np.flatnonzero(dataset.counts() == 0)]
    if empty:
        notes.append(f"{count(empty, 'class')} without a picture not written: no picture names it")
    used = np.flatnonzero(dataset.counts())
    if dataset.task == "multi":  # a table of labels has its classes in natural order
        used = np.array(sorted(used.tolist(), key=lambda k: natural_key(dataset.classes[k])), np.intp)
    one_class = dataset.task == "single"
    return dataclasses.replace(
        dataset,
        labels=np.searchsorted(used, dataset.labels).astype(np.int64) if one_class else dataset.labels[:, used],
        classes=tuple(dataset.classes[k] for k in used),
        groups=None if "groups" in lost else dataset.groups,
        splits=None if "splits" in lost else dataset.splits,
        columns={} if "columns" in lost else dataset.columns,
    ), notes


def _digest(
    data: bytes, labels: tuple[str, ...], split: str | None, group: str | None, beside: tuple[str, ...]
) -> tuple[int, int]:
    """All that is known about one picture, wherever it lies and whatever its file is called."""
    digest = hashlib.blake2b(data, digest_size=16)
    digest.update(repr((labels, split, group, beside)).encode("utf-8", "surrogatepass"))
    value = digest.digest()
    return int.from_bytes(value[:8], "little"), int.from_bytes(value[8:], "little")


def _check_equal(dataset: Dataset, digests: NDArray[np.void], part: Path, to: str) -> None:
    """Raises DataError unless what was written reads back equal; the order of the rows may differ."""
    where = f"{dataset.location} as {to}"
    found = open_dataset(part)
    if found.classes != dataset.classes or len(found) != len(dataset):
        raise DataError(
            f"{where}: reads back with {len(found):,} pictures of {len(found.classes)} classes instead of "
            f"{len(dataset):,} of {len(dataset.classes)}; nothing was kept"
        )

    def digest(row: int) -> tuple[int, int]:
        data = found.images.encoded(row)
        assert data is not None, f"{to} keeps encoded pictures"
        return _digest(
            data,
            label_cells(found, row),
            None if found.splits is None else found.splits[row],
            None if found.groups is None else found.groups[row],
            cells_beside(found, row),
        )

    read = np.zeros(len(found), DIGEST)
    for row, result in enumerate(in_threads(reason_or(digest), range(len(found)))):
        if isinstance(result, str):
            raise DataError(f"{where}: {as_text(found.paths[row])} was written but does not read back: {result}")
        read[row] = result
    if not np.array_equal(np.sort(read), np.sort(digests)):
        lost = [dataset.paths[row] for row in np.flatnonzero(~np.isin(digests, read)).tolist()]
        raise DataError(f"{where}: reads back different: {count(lost, 'picture')}; nothing was kept")
