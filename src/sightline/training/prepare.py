"""The data of a training, made ready: opened, split, read once. Comes in: where it is; goes out: a Table.

Bad pictures stop the training here, with the list, or are left out on request. Must not know networks.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.data import open_dataset
from sightline.data.checks import Evidence
from sightline.data.checks.exact import serious
from sightline.data.dataset import Dataset
from sightline.data.exclude import without_listed
from sightline.data.packs.cache import Cache
from sightline.data.packs.canvases import Canvases
from sightline.data.preprocess import Pixels, Preprocessing, centre_crop
from sightline.data.reading.records import RECORD, Record
from sightline.data.reading.scan import scan
from sightline.data.split import Split, check_classes, split
from sightline.data.tasks import TASKS, Labels
from sightline.errors import BadPicturesError, DataError
from sightline.training.options import absolute
from sightline.training.progress import Progress

# The pictures that select are answered after every epoch; more than this would tell little more.
MAX_SELECTION = 5_000


@dataclass(frozen=True)
class Selection:
    """The split that selects, preprocessed: pictures (N, height, width, C) and their labels. May be empty.

    uint8, or float32 0..255 where one of them holds more than 8 bits.
    """

    pictures: Pixels
    labels: Labels


@dataclass(frozen=True)
class Table:
    """A data set, its split, the RECORD of each row, and decoded pictures where they fit into memory."""

    dataset: Dataset
    parts: Split
    notes: tuple[str, ...] = ()
    records: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, RECORD))
    canvases: Sequence[Pixels] | Pixels | None = None

    @property
    def name(self) -> str:
        """For titles."""
        return name_of(self.dataset)


def name_of(data: str | Path | Dataset) -> str:
    """A short name for folders and titles: that of the folder or archive, of shards without their numbers."""
    source = data.source if isinstance(data, Dataset) else absolute(str(data))
    name = re.sub(r"[{*?\[].*", "", Path(source).name)
    return name.split(".")[0].rstrip("-_") or "data"


def open_table(
    data: str | Path | Dataset, fold: tuple[int, int] | None, exclude: Path | None, progress: Progress
) -> Table:
    """Open, leave out what the list `exclude` names, and split; only names and labels are read."""
    dataset = data if isinstance(data, Dataset) else open_dataset(data)
    if exclude is not None:
        dataset = without_listed(dataset, exclude)
    for note in dataset.notes:
        progress.say(note)
    parts = split(dataset, fold=fold)
    counts = ", ".join(f"{name} {len(parts.rows(name)):,}" for name in ("train", "val", "calibration", "test"))
    labels = TASKS.get(dataset.task).described(dataset.labels, dataset.classes)
    progress.say(f"{dataset.location}: {len(dataset):,} pictures {labels} ({counts})")
    return Table(dataset, parts, dataset.notes)


def decode(
    table: Table,
    preprocessing: Preprocessing,
    skip_bad: bool,
    workers: int | None,
    progress: Progress,
    cache: Cache | None,
) -> Table:
    """Read every picture once. Raises BadPicturesError with all that cannot be read, unless `skip_bad`."""
    dataset, parts = table.dataset, table.parts
    found = scan(
        dataset, preprocessing, workers, lambda rows, total: progress.track(rows, total, "reading pictures"), cache
    )
    notes, records, canvases = [*table.notes], found.records, found.canvases
    if found.num_colour_to_grey:
        notes.append(
            f"{found.num_colour_to_grey} colour pictures were turned grey, as the sample looked at was all grey"
        )
    several = int((found.records["num_frames"] > 1).sum())
    if several:
        notes.append(f"{several} files have several frames or pages; the first of each is used")
    if found.bad:
        if not skip_bad:
            raise BadPicturesError(found.bad, BadPicturesError.SKIP)
        is_bad = np.fromiter((path in found.bad for path in dataset.paths), bool, len(dataset))
        keep = np.flatnonzero(~is_bad)
        some = "; ".join(f"{path}: {reason}" for path, reason in list(found.bad.items())[:20])
        more = f"; and {len(found.bad) - 20} more" if len(found.bad) > 20 else ""
        were = "picture that cannot be read was" if len(found.bad) == 1 else "pictures that cannot be read were"
        notes.append(f"{len(found.bad)} {were} left out: {some}{more}")
        dataset = dataset.without(np.flatnonzero(is_bad).tolist(), notes[-1])
        parts, records = replace(parts, names=parts.names[keep]), records[keep]
        if canvases is not None:
            canvases = (
                canvases.take(keep) if isinstance(canvases, Canvases) else [canvases[row] for row in keep.tolist()]
            )
    notes += serious(Evidence(dataset, records, parts=parts))
    for note in notes[len(table.notes) :]:
        progress.say(note)
    if found.bad:
        _check_left(dataset, parts, len(table.parts.rows("test")) > 0)
    return Table(dataset, parts, tuple(notes), records, canvases)


def _check_left(dataset: Dataset, parts: Split, is_tested: bool) -> None:
    """Raise DataError where bad pictures that were left out leave too little to train and, if it `is_tested`, test."""
    check_classes(dataset)
    counts = parts.counts(dataset.labels, len(dataset.classes))
    if (counts["train"] == 0).any():
        name = dataset.classes[int(counts["train"].argmin())]
        raise DataError(f"{dataset.location}: no picture of {name!r} is left to train with; repair or add some")
    TASKS.get(dataset.task).check_trained(dataset.labels[parts.rows("train")], dataset.classes, dataset.location)
    if is_tested and not len(parts.rows("test")):
        raise DataError(f"{dataset.location}: no picture is left to test with; repair or add some")


def without_test(table: Table) -> Table:
    """The table less the pictures that test, before any of them is read; what is left is divided as before."""
    rows, names = table.parts.rows("test"), table.parts.names
    dataset = replace(table.dataset.without(rows.tolist(), ""), notes=table.dataset.notes)
    return replace(table, dataset=dataset, parts=replace(table.parts, names=names[names != "test"]))


def numbered_as(table: Table, read: Table) -> Table:
    """What `read` knows of some rows of `table`, under their numbers there; the others have no picture.

    Augmentation depends on a row's number, so only under the same one a training gives the same. Where bad pictures
    were left out there are other numbers in any case, and `read` is what comes out.
    """
    known = table.parts.names != "test"
    if len(read.dataset) < known.sum():
        return read
    numbers = np.where(known, known.cumsum() - 1, -1)
    records = np.zeros(len(table.dataset), RECORD)
    records[known] = read.records
    canvases = read.canvases
    if isinstance(canvases, Canvases):
        canvases = canvases.spread(numbers)
    elif canvases is not None:
        blank = np.zeros((0, 0, 0), np.uint8)
        canvases = [blank if number < 0 else canvases[number] for number in numbers.tolist()]
    return Table(table.dataset, table.parts, read.notes, records, canvases)


def with_selection_in_train(table: Table) -> Table:
    """The table for a head that is fitted and not fine-tuned: nothing is selected, so val's pictures train too.

    So do those for calibration, unless the data set sets them aside itself: of several labels they find the thresholds,
    of one the answers of the head's cross-validation serve.
    """
    is_free = table.dataset.task != "multi" and "calibration" not in set(table.dataset.splits or ())
    moved = ("val", "calibration") if is_free else ("val",)
    names = np.where(np.isin(table.parts.names, moved), "train", table.parts.names)
    which = "val and calibration" if is_free else "val"
    rule = f"{table.parts.rule} Nothing is selected by this recipe, so the {which} pictures train too."
    return replace(table, parts=Split(names, rule))


def selection_of(table: Table, preprocessing: Preprocessing, parts: tuple[str, ...] = ("val",)) -> Selection:
    """The selection split, or other parts, preprocessed; an even sample of them where they are very large."""
    rows = np.flatnonzero(np.isin(table.parts.names, parts))
    if len(rows) > MAX_SELECTION:
        rows = rows[np.linspace(0, len(rows) - 1, MAX_SELECTION).astype(int)]
    return Selection(pictures_of(table, preprocessing, rows), table.dataset.labels[rows])


def pictures_of(table: Table, preprocessing: Preprocessing, rows: NDArray[np.intp]) -> Pixels:
    """Preprocessed pictures (N, height, width, C); uint8, or float32 0..255 where one holds more than 8 bits."""
    frame = (preprocessing.height, preprocessing.width)
    pictures: Pixels = np.empty((len(rows), *frame, preprocessing.channels), np.uint8)
    for i, row in enumerate(rows.tolist()):
        if table.canvases is not None:
            picture = centre_crop(table.canvases[row], *frame)
        else:
            picture = preprocessing.apply(table.dataset.images.pixels(row, preprocessing.decode_side()))
        if picture.dtype != pictures.dtype:
            pictures = pictures.astype(np.float32)  # once, at the first picture of more than 8 bits
        pictures[i] = picture
    return pictures


def reader_of(table: Table, preprocessing: Preprocessing) -> Callable[[int], tuple[Record, Pixels]] | None:
    """Row -> its record and preprocessed picture, from what was read before the training; None where nothing was kept.

    A canvas's middle is what `preprocessing.apply` makes of the picture, to the bit.
    """
    canvases, frame = table.canvases, (preprocessing.height, preprocessing.width)
    if canvases is None:
        return None
    return lambda row: (table.records[row].item(), centre_crop(canvases[row], *frame))
