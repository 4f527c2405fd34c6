"""A table and its pictures: `OUT/table.csv` with `path,label[,split][,group]` and further columns, and `OUT/pictures/`.

Several labels a picture are in the column `labels`, numbers in `value` or `value_NAME`.
"""

import csv
from collections.abc import Iterable
from pathlib import Path

from sightline.data.dataset import Dataset
from sightline.data.formats._common import few
from sightline.data.writers._names import FileNames, why_unsafe, write_file
from sightline.data.writers._samples import Sample, label_columns
from sightline.errors import DataError

TABLE, PICTURES = "table.csv", "pictures"
PICTURES_A_FOLDER = 1000  # of those that had no folder; file managers and some file systems are slow past that


def lost(dataset: Dataset) -> dict[str, str]:
    return {}


def check(dataset: Dataset) -> None:
    """Raises DataError for names that read as empty cells, or hold a NUL."""
    for what, names in (("class", dataset.classes), ("group", sorted(set(dataset.groups or ())))):
        bad = [repr(name) for name in names if not name.strip() or "\0" in name]
        if bad:
            raise DataError(f"{dataset.location}: a table cannot hold the {what} {few(bad)}; give it a name")
    nul = [name for name, cells in dataset.columns.items() if any("\0" in cell for cell in (name, *cells))]
    if nul:
        raise DataError(f"{dataset.location}: a table cannot hold the NULs in the column {few(nul)}; remove them")


def write(dataset: Dataset, samples: Iterable[Sample], out: Path) -> list[str]:
    with FileNames(out) as names, (out / TABLE).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(
            (
                "path",
                *label_columns(dataset),
                *(("split",) if dataset.splits else ()),
                *(("group",) if dataset.groups else ()),
                *dataset.columns,
            )
        )
        for sample in samples:
            name = names.name(_folder(sample), sample)
            write_file(out, name, sample.data)
            given = (v for v in (sample.split, sample.group) if v is not None)
            table.writerow((name, *sample.cells, *given, *sample.beside))
    return names.notes()


def _folder(sample: Sample) -> str:
    """The folders that the picture lay in, if every system takes them; else numbered ones."""
    above = sample.path.split("/")[:-1] if sample.named else []
    if above and not any(why_unsafe(part) for part in above):
        return "/".join((PICTURES, *above))
    return f"{PICTURES}/{sample.row // PICTURES_A_FOLDER:04d}"
