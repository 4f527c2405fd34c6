"""Folders of pictures: `root/<class>/*`, or `root/{train,val,test}/<class>/*`. The fallback of all formats.

Comes in: a store; goes out: a Dataset whose rows are files, however deep below their class folder. What is
left aside is said in its notes. Must not open a picture.
"""

from collections.abc import Sequence

from sightline.data.dataset import SPLIT_NAMES, Dataset
from sightline.data.formats._common import EXPECTED, count, few, is_picture, of_files, parted
from sightline.data.storage.names import Repeated
from sightline.data.storage.store import Store
from sightline.errors import DataError


def recognises(store: Store) -> int:
    """Always 1, the fallback: `read` then says what it found instead and what it expects."""
    return 1


def read(store: Store, entry: str | None) -> Dataset:
    """The pictures of the class folders. Raises DataError for none, one class, or an empty one."""
    names = store.names()
    pictures, others = parted(names, is_picture)
    if not pictures:
        found = count(names, "file") if names else "nothing"
        raise DataError(f"{store.location}: no pictures. Found: {found}.\n{EXPECTED}")
    depth = 2 if _is_split(pictures) else 1  # folders above a picture, its class folder included
    rows, beside = parted(pictures, lambda name: _in_class(name, depth))
    if not rows:
        raise DataError(_no_classes(store.location, pictures, depth))
    _check_filled(store, depth)
    labels = Repeated(name.split("/")[depth - 1] for name in rows)
    splits = Repeated(SPLIT_NAMES[_top(name).lower()] for name in rows) if depth == 2 else None
    return of_files(store, "folder", rows, labels, splits, None, _notes(others, beside, depth))


def _top(name: str) -> str:
    return name.split("/")[0]


def _is_split(pictures: Sequence[str]) -> bool:
    """Whether the first level of folders is splits rather than classes.

    It is if they all have names of splits. Among other folders, those with names of splits count only if no
    picture lies directly in them: a class of vehicles may well be called `train`.
    """
    tops = {_top(name) for name in pictures if "/" in name}
    named = {top for top in tops if top.lower() in SPLIT_NAMES}
    direct = {_top(name) for name in pictures if name.count("/") == 1}
    return bool(named) and (named == tops or not named & direct)


def _in_class(name: str, depth: int) -> bool:
    return name.count("/") >= depth and (depth == 1 or _top(name).lower() in SPLIT_NAMES)


def _no_classes(location: str, pictures: Sequence[str], depth: int) -> str:
    if depth == 2:
        folders = sorted({_top(name) + "/" for name in pictures})
        where = f"directly in {few(folders)}, not in class folders below"
    else:
        where = "beside each other, not in class folders"
    return f"{location}: {count(pictures, 'picture')} lie {where}.\n{EXPECTED}"


def _check_filled(store: Store, depth: int) -> None:
    """Raises DataError for class folders, or splits, without any file: nearly always a mistake."""
    empty = [f for f in store.empty_folders() if f.count("/") < depth]
    if depth == 2:
        empty = [f for f in empty if _top(f).lower() in SPLIT_NAMES]
    if empty:
        raise DataError(
            f"{store.location}: {count([f + '/' for f in empty], 'folder')} without any picture; fill or remove it"
        )


def _notes(others: Sequence[str], beside: Sequence[str], depth: int) -> tuple[str, ...]:
    """What was left aside, a sentence each."""
    place = "outside train, val and test, or beside" if depth == 2 else "beside"
    notes = []
    if others:
        notes.append(f"left aside {count(others, 'file')}: not pictures by their extension")
    if beside:
        notes.append(f"left aside {count(beside, 'picture')}: {place} the class folders")
    return tuple(notes)
