"""Class folders: `OUT/<class>/*`, or `OUT/{train,val,calibration,test}/<class>/*`."""

from collections.abc import Iterable
from pathlib import Path

from sightline.data.dataset import SPLIT_NAMES, Dataset
from sightline.data.writers._names import FileNames, check_folder_names, write_file
from sightline.data.writers._samples import Sample, check_one_class, columns_lost
from sightline.errors import DataError


def lost(dataset: Dataset) -> dict[str, str]:
    groups = {"groups": "folders cannot hold groups; a table, Parquet or WebDataset can"} if dataset.groups else {}
    return groups | columns_lost(dataset)


def check(dataset: Dataset) -> None:
    check_one_class(dataset, "class folders")
    check_folder_names(dataset.location, dataset.classes)
    if dataset.splits is None and all(name.lower() in SPLIT_NAMES for name in dataset.classes):
        raise DataError(
            f"{dataset.location}: the classes {', '.join(dataset.classes)} would be taken for splits as folders; "
            "convert to a table, Parquet or WebDataset"
        )


def write(dataset: Dataset, samples: Iterable[Sample], out: Path) -> list[str]:
    with FileNames(out) as names:
        for sample in samples:
            folder = f"{sample.split}/{sample.cells[0]}" if sample.split else sample.cells[0]
            write_file(out, names.name(folder, sample), sample.data)
    return names.notes()
