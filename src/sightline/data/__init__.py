"""Pictures on disk -> Dataset. Comes in: where the data are; goes out: a Dataset, whatever its format.

torch, torchvision and pyarrow are imported when a data set needs them, not with this package.
"""

import dataclasses
import os
from pathlib import Path
from types import ModuleType

from sightline.data.dataset import SPLIT_NAMES, Dataset
from sightline.data.formats._common import count, is_picture
from sightline.data.medical.slices import with_slices
from sightline.data.storage.store import FileStore, Store, SubStore, is_archive, open_store
from sightline.errors import DataError, nearest
from sightline.registry import Registry

__all__ = ["FORMATS", "Dataset", "names_shards", "open_dataset"]

FORMATS = Registry("sightline.data.formats", "format", ("recognises", "read"))
Evidence = tuple[int, ModuleType]  # how sure a format is, and the format
MIN_EVIDENCE = 2  # from here on a format knows its own; below, it is the fallback


def open_dataset(data: str | Path) -> Dataset:
    """The data set at a path (a folder, a zip or tar, a table, shards), or torchvision's of that name.

    A single folder around everything, as archives have it, is entered. Raises DataError if there is nothing
    of that name or it cannot be understood.
    """
    path = Path(os.path.expanduser(data))
    if path.exists():
        found = _read(open_store(path)) if path.is_dir() or is_archive(path) else _read_file(path)
        return dataclasses.replace(found, source=str(path.resolve()))
    if names_shards(str(data)):
        webdataset = FORMATS.get("webdataset")
        streamed: Dataset = webdataset.read_pattern(str(data))
        return dataclasses.replace(streamed, source=webdataset.source_of(str(data)))
    torchvision = FORMATS.get("torchvision")
    if torchvision.is_name(str(data)):
        named: Dataset = torchvision.read_by_name(str(data))
        return dataclasses.replace(named, source=str(data))
    message = f"{data}: no such file or folder"
    if path.name == str(data) and not path.suffix:  # it may have been meant as a name
        message += f", and no data set of torchvision's: {nearest(str(data), torchvision.NAMES, 'name')}"
    raise DataError(message)


def names_shards(text: str) -> bool:
    """Whether a text can only be meant as shards: a URL, or tars with braces or stars in their name."""
    found: bool = FORMATS.get("webdataset").is_pattern(text)
    return found


def _read_file(path: Path) -> Dataset:
    store = FileStore(path)
    strength, module = _best_format(store)
    if strength < MIN_EVIDENCE:
        module = FORMATS.get("table")  # which says what its columns should be
        if not module.is_table(path.name):
            raise DataError(
                f"{path}: not a folder, an archive (zip, tar), a table (CSV, TSV, JSON Lines, Parquet) or a NumPy "
                "archive (.npz) of pictures; give the folder that holds the pictures"
            )
    return with_slices(module.read(store, path.name))


def _read(store: Store) -> Dataset:
    inner, notes, (_, module) = _unwrapped(store)
    dataset = with_slices(module.read(inner, None))
    return dataclasses.replace(dataset, notes=(*notes, *dataset.notes))


def _best_format(store: Store) -> Evidence:
    """The strongest evidence. Raises DataError where two formats are equally sure."""
    found = [(FORMATS.get(name).recognises(store), name) for name in FORMATS.names()]
    strength = max(evidence for evidence, _ in found)
    names = [name for evidence, name in found if evidence == strength]
    if len(names) > 1:
        raise DataError(
            f"{store.location}: this is {' as well as '.join(names)} data by its files; give the file that is meant, "
            "or move one of them to a folder of its own"
        )
    return strength, FORMATS.get(names[0])


def _unwrapped(store: Store) -> tuple[Store, tuple[str, ...], Evidence]:
    """The store below the folders that wrap everything, what was left aside beside them, and its format."""
    outer = store, (), _best_format(store)
    if outer[2][0] >= MIN_EVIDENCE:
        return outer
    names = store.names()
    tops = {name.split("/")[0] for name in names if "/" in name}
    files = [name for name in names if "/" not in name]
    if len(tops) != 1 or any(is_picture(name) for name in files):
        return outer
    (top,) = tops
    if top.lower() in SPLIT_NAMES or any(f.count("/") == 0 for f in store.empty_folders()):
        return outer
    inner, notes, evidence = _unwrapped(SubStore(store, f"{top}/"))
    if evidence[0] < MIN_EVIDENCE and not _has_classes(inner):
        return outer
    if files:
        notes = (f"left aside {count(files, 'file')}: beside the folder {top}", *notes)
    return inner, notes, evidence


def _has_classes(store: Store) -> bool:
    """False for the pictures of a single class, which are no data set without the folder around them."""
    tops = {name.partition("/")[:2] for name in store.names() if is_picture(name)}  # with a slash if it is a folder
    direct = any(not slash for _, slash in tops)
    return not direct and (len(tops) > 1 or any(top.lower() in SPLIT_NAMES for top, _ in tops))
