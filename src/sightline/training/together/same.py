"""Whether several processes train the same on the same. Comes in: what each was asked for and has read; goes out: an
error that names what differs.

Each host has its own copy of the pictures: one that was copied half, or sorted otherwise, would spoil what is learned
without a word. Must not know how training works.
"""

import hashlib
from pathlib import Path

import numpy as np

from sightline.data.reading.records import hexadecimal
from sightline.errors import ConfigError, DataError
from sightline.training.options import Request
from sightline.training.prepare import Table
from sightline.training.together.processes import Processes

# Each host's own affair: where its files lie, and what changes no result.
OWN = {"out", "exclude", "num_workers", "tensorboard", "cache", "checkpoint_s", "num_processes", "command"}
NUM_SHOWN = 5


def check_asked(processes: Processes, request: Request) -> None:
    """Raise ConfigError where one was started with other options or another recipe than the first."""
    if processes.size == 1:
        return
    document = request.to_json()
    settings = {k: v for k, v in document["settings"].items() if k != "weights" or not Path(str(v)).is_absolute()}
    options = {k: v for k, v in document["options"].items() if k not in OWN}
    for name, other in zip(processes.names, asked := processes.each(settings | options), strict=True):
        for key in sorted(asked[0] | other):
            if asked[0].get(key) != other.get(key):
                raise ConfigError(
                    f"{processes.names[0]} was started with {key} = {asked[0].get(key)}, {name} with {other.get(key)}; "
                    "give all the same words"
                )


def check_data(processes: Processes, table: Table) -> None:
    """Raise DataError where one has other pictures, labels or splits than the first, as far as they are read by now."""
    if processes.size == 1:
        return
    digests = processes.each(_digest(table))
    if len(set(digests)) == 1:
        return
    rows = _rows(table)
    theirs, is_same = processes.first(lambda: rows), digests[processes.rank] == digests[0]
    told = processes.each(None if is_same else _differences(theirs, rows, table))
    rank = next(rank for rank, digest in enumerate(digests) if digest != digests[0])
    raise DataError(f"{processes.names[rank]} has other pictures than {processes.names[0]}:\n{told[rank]}")


def _digest(table: Table) -> str:
    dataset, digest = table.dataset, hashlib.blake2b(digest_size=16)
    for column in (dataset.paths, dataset.classes, dataset.groups or (), table.parts.names.tolist()):
        digest.update("\0".join((str(len(column)), *column, "")).encode("utf-8", "surrogateescape"))
    digest.update(np.ascontiguousarray(dataset.labels).tobytes())
    digest.update(np.ascontiguousarray(table.records["hash"]).tobytes())
    return digest.hexdigest()


def _rows(table: Table) -> dict[str, tuple[str, ...]]:
    """Path -> label, group, split and, once they are read, the pixels' hash."""
    dataset, names = table.dataset, table.parts.names.tolist()
    hashes = hexadecimal(table.records) if len(table.records) else [""] * len(dataset)
    groups = dataset.groups or [""] * len(dataset)
    return {
        path: (dataset.label_text(row), groups[row], names[row], hashes[row]) for row, path in enumerate(dataset.paths)
    }


def _differences(first: dict[str, tuple[str, ...]], own: dict[str, tuple[str, ...]], table: Table) -> str:
    changed = [path for path in first | own if first.get(path) != own.get(path)]
    lines = [f"  {path}: {_difference(first.get(path), own.get(path))}" for path in changed[:NUM_SHOWN]]
    if len(changed) > NUM_SHOWN:
        lines.append(f"  ... and {len(changed) - NUM_SHOWN:,} more")
    if not changed:
        lines.append("  the same pictures in another order, or other classes: " + ", ".join(table.dataset.classes[:20]))
    return "\n".join([*lines, f"Copy the first host's to {table.dataset.location}, or start without that host"])


def _difference(first: tuple[str, ...] | None, own: tuple[str, ...] | None) -> str:
    if first is None or own is None:
        return "the first has no such picture" if first is None else "is missing"
    what = ("label", "group", "split", "pixels")
    return "; ".join(f"{key} {b!r}, the first's is {a!r}" for key, a, b in zip(what, first, own, strict=True) if a != b)
