"""Class names of shards. Comes in: a folder or an address, and labels as written; goes out: labels by their names.

Which files name the classes is written in `webdataset`. Must not know what else is in the shards.
"""

import json
import posixpath
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sightline.data.formats._common import few
from sightline.data.formats._held_labels import Held
from sightline.data.formats._shard_index import Label
from sightline.data.formats._shard_names import is_url
from sightline.data.storage.names import as_text
from sightline.errors import DataError, nearest

CLASS_FILES = ("classnames.txt", "classes.txt", "classnames.json", "classes.json")
MAX_CLASS_BYTES = 16 << 20

ClassNames = tuple[str, dict[int, str]]  # the file, and index -> name


def has_index(label: Label) -> bool:
    return any(isinstance(one, int) for one in label) if isinstance(label, list) else isinstance(label, int)


def named(written: Sequence[Label], paths: Sequence[str], class_names: ClassNames | None) -> list[Held]:
    """Labels a row by their names: an index through the class names where there are any, else as written."""
    known = set(class_names[1].values()) if class_names else set[str]()

    def name(label: int | str, path: str) -> str:
        if class_names is None:
            return str(label)
        file, names = class_names
        if isinstance(label, int) and label in names:
            return names[label]
        if str(label) in known:
            return str(label)
        if isinstance(label, int):
            raise DataError(f"{path}: class {label}, but {file} names {len(names)}, {min(names)} to {max(names)}")
        raise DataError(f"{path}: {nearest(label, sorted(known), f'class (by {file})')}")

    labels = list[Held]()
    for label, path in zip(written, paths, strict=True):
        if isinstance(label, list):
            labels.append([name(one, path) for one in label])
        else:
            labels.append(label if isinstance(label, dict) else name(label, path))
    return labels


def class_names_beside(folder: str) -> ClassNames | None:
    """The file that names the classes, and index -> name; None where there is no such file. Raises DataError."""
    if is_url(folder):
        from sightline.data.storage.remote import read_if_there

        files = ((name, read_if_there(f"{folder}/{name}", MAX_CLASS_BYTES)) for name in CLASS_FILES)
        return next(((name, _read(name, data)) for name, data in files if data is not None), None)
    for place in (folder, posixpath.dirname(folder)):
        for name in CLASS_FILES:
            path = Path(place, name)
            if path.is_file():
                return name, _read(str(path), path.read_bytes())
    return None


def _read(where: str, data: bytes) -> dict[int, str]:
    try:
        text = data.decode("utf-8-sig")
        found = json.loads(text) if where.endswith(".json") else text.rstrip().splitlines()
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not readable as class names: {error}") from error
    if isinstance(found, list):
        found = dict(enumerate(found))
    elif isinstance(found, dict) and all(isinstance(v, int) for v in found.values()):
        found = {index: name for name, index in found.items()}
    try:
        names = {int(index): as_text(name.strip()) for index, name in found.items()}
    except (AttributeError, ValueError, TypeError) as error:
        raise DataError(f"{where}: expected a list of names, or an object of index: name or name: index") from error
    twice = [name for name, times in Counter(names.values()).items() if times > 1]
    if twice or "" in names.values() or not names:
        what = f"the same name for two classes: {few(twice, 20)}" if twice else "an empty name"
        raise DataError(f"{where}: {what}; classes are told apart by their names")
    return names
