"""Lists of pictures to leave out: `path<TAB>reason`, one a line. Comes in: paths and reasons, or such a list; goes
out: the list, or a smaller Dataset. No picture is touched.

A plain list of paths is one too. Paths are as the data set names them.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from sightline.data.dataset import Dataset
from sightline.errors import ConfigError, DataError, nearest

HEADER = "path\treason"


def as_list(reasons: Mapping[str, str]) -> str:
    """The text of a list; `reasons` maps path to reason."""
    lines = [f"{path}\t{' '.join(reason.split())}" for path, reason in reasons.items()]
    return "\n".join([HEADER, *lines]) + "\n"


def read_list(path: Path) -> dict[str, str]:
    """Path -> reason, "" where none is given. Raises ConfigError if the list cannot be read."""
    try:
        lines = [line.rstrip("\r") for line in path.read_text(encoding="utf-8-sig").split("\n")]
    except OSError as error:
        raise ConfigError(f"--exclude {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"--exclude {path} is not a list of paths: it is not UTF-8 text") from error
    if lines[:1] == [HEADER]:
        lines = lines[1:]
    named = (line.partition("\t") for line in lines if line.strip())
    return {name: reason.strip() for name, _, reason in named}


def without_listed(dataset: Dataset, path: Path) -> Dataset:
    """The data set less what the list at `path` names; a note says so. Raises ConfigError for an unknown picture."""
    listed = read_list(path)
    row_of = {name: row for row, name in enumerate(dataset.paths)}
    listed = {name if name in row_of else name.strip(): reason for name, reason in listed.items()}
    for name in listed:
        if name not in row_of:
            raise ConfigError(f"--exclude {path}: {_nearest(name, dataset)}")
    if not listed:
        return dataset
    if len(listed) == len(dataset):
        raise DataError(f"--exclude {path} names every picture of {dataset.location}")
    noun = "picture" if len(listed) == 1 else "pictures"
    note = f"{len(listed):,} {noun} left out, as {path.name} says"
    return dataset.without((row_of[name] for name in listed), note)


def _nearest(name: str, dataset: Dataset) -> str:
    """What may have been meant: the same file elsewhere, else the nearest name."""
    same = [path for path in dataset.paths if os.path.basename(path) == os.path.basename(name)]
    if same:
        return f"unknown picture {name!r}. Did you mean {' or '.join(same[:3])}?"
    return nearest(name, dataset.paths, "picture")
