"""What a writer gets. Comes in: a Dataset; goes out: its pictures as encoded files, one after the other.

Encoded pictures are handed on byte for byte; arrays become PNG, which is lossless and is decoded again on the spot to
see that it is. A bounded number waits at a time, so that memory stays flat. Must not know where they are written to.
"""

import io
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from sightline.data.dataset import Dataset
from sightline.data.decode import EXTENSIONS, FORMATS, PictureError, Pixels, decode, read_header
from sightline.data.formats._common import count
from sightline.data.reading.scan import in_threads, reason_or
from sightline.errors import BadPicturesError, DataError


@dataclass(frozen=True)
class Sample:
    """One picture: its row and path in the data set it comes from, its file, and what is known about it.

    suffix      of the file by its kind, `.jpg`; what the original's name ends in where that is a picture's
    named       whether `path` is a file's name rather than a place in an array
    from_array  whether the file was made here
    label       index of the class; None where a picture has several labels, or numbers
    cells       the labels as a table says them, see `label_columns`
    several     the same where they are several, or numbers: column -> names, or a number; else nothing
    beside      what the data set's further columns say of it
    """

    row: int
    path: str
    data: bytes
    suffix: str
    named: bool
    from_array: bool
    label: int | None
    cells: tuple[str, ...]
    several: Mapping[str, list[str] | float]
    split: str | None
    group: str | None
    beside: tuple[str, ...] = ()


def label_columns(dataset: Dataset) -> tuple[str, ...]:
    """The columns of a table that hold the labels."""
    if dataset.task == "number":
        return dataset.classes if dataset.classes == ("value",) else tuple(f"value_{name}" for name in dataset.classes)
    return ("label",) if dataset.task == "single" else ("labels",)


def label_cells(dataset: Dataset, row: int) -> tuple[str, ...]:
    """A row's labels as the cells of those columns; numbers with all their digits."""
    if dataset.task == "number":
        return tuple(repr(float(value)) for value in dataset.labels[row])
    return (dataset.label_text(row),)


def cells_beside(dataset: Dataset, row: int) -> tuple[str, ...]:
    """What the further columns say of a row."""
    return tuple(column[row] for column in dataset.columns.values())


def columns_lost(dataset: Dataset) -> dict[str, str]:
    """What `lost` says of further columns where only a table can hold them."""
    return (
        {"columns": f"only a table holds {count(list(dataset.columns), 'column')} like these"}
        if dataset.columns
        else {}
    )


def _several(dataset: Dataset, row: int) -> dict[str, list[str] | float]:
    columns = label_columns(dataset)
    if dataset.task == "number":
        return dict(zip(columns, map(float, dataset.labels[row]), strict=True))
    if dataset.task == "single":
        return {}
    return {columns[0]: [dataset.classes[k] for k in np.flatnonzero(dataset.labels[row])]}


def check_one_class(dataset: Dataset, target: str) -> None:
    """Raise DataError where pictures have several labels, or numbers, which `target` cannot hold."""
    if dataset.task != "single":
        kind = "several labels a picture" if dataset.task == "multi" else "numbers"
        raise DataError(
            f"{dataset.location}: {kind}, which {target} cannot hold; convert it --to table, webdataset or parquet"
        )


def samples(dataset: Dataset) -> Iterator[Sample]:
    """Every row, in order. Raises BadPicturesError at the end, for all pictures whose file could not be had."""
    bad: dict[str, str] = {}

    def fetch(row: int) -> Sample:
        return _sample(dataset, row)

    for row, found in enumerate(in_threads(reason_or(fetch), range(len(dataset)))):
        if isinstance(found, str):
            bad[dataset.paths[row]] = found
        elif not bad:
            yield found
    if bad:
        raise BadPicturesError(bad)


def _sample(dataset: Dataset, row: int) -> Sample:
    path = dataset.paths[row]
    data = dataset.images.encoded(row)
    from_array = data is None
    written = posixpath.splitext(path)[1].lower()
    named = written in EXTENSIONS and not path.endswith("]")
    if data is None:
        data, suffix = _png(dataset.images.pixels(row)), ".png"
    else:
        suffix = written if named else _suffix(data)
    return Sample(
        row=row,
        path=path,
        data=data,
        suffix=suffix,
        named=named,
        from_array=from_array,
        label=int(dataset.labels[row]) if dataset.task == "single" else None,
        cells=label_cells(dataset, row),
        several=_several(dataset, row),
        split=None if dataset.splits is None else dataset.splits[row],
        group=None if dataset.groups is None else dataset.groups[row],
        beside=cells_beside(dataset, row),
    )


def _png(pixels: Pixels) -> bytes:
    """(H, W, 1 or 3) -> PNG, of 16 bits where the pixels are deep. Raises PictureError where it would not hold them."""
    if pixels.dtype != np.uint8 and pixels.shape[2] == 3:
        raise PictureError("colours of more than 8 bits, which are not written; convert from files instead")
    stored = pixels if pixels.dtype == np.uint8 else np.rint(pixels * 257).astype(np.uint16)
    file = io.BytesIO()
    Image.fromarray(stored[:, :, 0] if stored.shape[2] == 1 else stored).save(file, "PNG")
    data = file.getvalue()
    if not np.array_equal(decode(data), pixels):
        raise PictureError("more than 16 bits, which a PNG does not hold")
    return data


def _suffix(data: bytes) -> str:
    """By content, for a picture without a name. Raises PictureError where it is none."""
    name = read_header(data).format
    if name not in FORMATS:
        raise PictureError(f"no file name, and of the kind {name}, which has no extension here")
    return FORMATS[name][0]
