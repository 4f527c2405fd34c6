"""COCO: `annotations/instances_train2017.json` beside folders of pictures, or a JSON in each split folder.

Comes in: a store; goes out: a Dataset whose classes are the objects' categories (see `_objects`). The format
is that of https://cocodataset.org/#format-data. Must not open a picture.
"""

import json
import posixpath
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sightline.data.dataset import Dataset
from sightline.data.formats._common import count, few, is_picture, read_bytes, split_of
from sightline.data.formats._objects import Annotated, Box, box_of, labelled
from sightline.data.storage.names import is_text
from sightline.data.storage.store import Store
from sightline.errors import DataError

KEYS = ("images", "annotations", "categories")
HEAD_BYTES = 4096
HEAD_KEYS = (b'"info"', b'"licenses"', *(f'"{key}"'.encode() for key in KEYS))


@dataclass(frozen=True)
class _File:
    """One JSON: where it is, the split it tells of, and its three lists."""

    name: str
    split: str | None
    images: Sequence[dict[str, object]]
    annotations: Sequence[dict[str, object]]
    categories: Sequence[dict[str, object]]


def recognises(store: Store) -> int:
    """3 if a JSON where COCO has one begins as COCO does, and there are pictures."""
    candidates = _candidates(store)
    return 3 if candidates and any(is_picture(name) for name in store.names()) else 0


def read(store: Store, entry: str | None) -> Dataset:
    """The annotated pictures of all files. Raises DataError with the file and the entry."""
    candidates = _candidates(store)
    named = [name for name in candidates if posixpath.basename(name).startswith("instances")] or candidates
    files, others = [], [name for name in candidates if name not in named]
    for name in named:
        file = _read(store, name)
        if file is None:
            others.append(name)
        else:
            files.append(file)
    if not files:
        raise DataError(f"{store.location}: no file with {', '.join(KEYS)} among {few(candidates, 20)}")
    _check_splits(store.location, files)
    finder = _Finder(store.names())
    pictures = [picture for file in files for picture in _pictures(store.location, file, finder)]
    listed = {p.path for p in pictures}
    unlisted = [name for name in store.names() if is_picture(name) and name not in listed]
    notes = []
    if others:
        notes.append(f"left aside {count(others, 'file')}: no object annotations")
    if unlisted:
        notes.append(f"left aside {count(unlisted, 'picture')}: not in the annotations")
    return labelled(store, store.location, "coco", pictures, notes)


def _candidates(store: Store) -> list[str]:
    """JSON files at the root, in `annotations` or in a folder named as a split, that begin as COCO's do."""
    found = []
    for name in (name for name in store.names() if name.lower().endswith(".json")):
        folder = posixpath.dirname(name)
        if folder in ("", "annotations") or ("/" not in folder and split_of(name)):
            try:
                with store.open(name) as file:
                    head = file.read(HEAD_BYTES)
            except OSError:
                continue
            is_object = head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
            if is_object and any(key in head for key in HEAD_KEYS) and _has_keys(store, name, head):
                found.append(name)
    return found


def _has_keys(store: Store, name: str, head: bytes) -> bool:
    """Whether it speaks of pictures at all, as other JSON with a title and a licence does not."""
    if b'"images"' in head:
        return True
    try:
        return b'"images"' in store.read(name)
    except OSError:
        return True  # `read` will say why not


def _read(store: Store, name: str) -> _File | None:
    """The file; None where it has no categories, as captions have none."""
    where = f"{store.location}/{name}"
    try:
        found = json.loads(read_bytes(store, name, where))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not readable JSON: {error}; fetch it again") from error
    if not isinstance(found, dict) or "categories" not in found or "images" not in found:
        return None
    lists = []
    for key in KEYS:
        value = found.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise DataError(f"{where}: `{key}` is no list of objects")
        lists.append(value)
    return _File(name, split_of(name), *lists)


def _check_splits(location: str, files: Sequence[_File]) -> None:
    without = [file.name for file in files if file.split is None]
    if without and len(files) > 1:
        raise DataError(
            f"{location}: {few(without)} says no split in its name, but there are {len(files)} files; name them as "
            "instances_train.json, instances_val.json, or keep one"
        )


def _pictures(location: str, file: _File, finder: "_Finder") -> list[Annotated]:
    """An entry for each of the file's images, also for those without an object."""
    where = f"{location}/{file.name}"
    names = _by_id(file.categories, "name", f"{where}: categories")
    images = _by_id(file.images, "file_name", f"{where}: images")
    objects: defaultdict[object, list[tuple[str, Box | None]]] = defaultdict(list)
    for i, annotation in enumerate(file.annotations):
        image, category = annotation.get("image_id"), annotation.get("category_id")
        if not isinstance(image, int | str) or image not in images:
            raise DataError(f"{where}: annotations[{i}] is of the image {ascii(image)[:80]}, which is not in `images`")
        if not isinstance(category, int | str) or category not in names:
            raise DataError(
                f"{where}: annotations[{i}] is of the category {ascii(category)[:80]}, which is not in `categories`"
            )
        objects[image].append((names[category], _box(annotation.get("bbox"))))
    return [
        Annotated(
            finder.find(path, file, where),
            tuple(category for category, _ in objects.get(image, ())),
            file.split,
            tuple(box for _, box in objects.get(image, ())),
        )
        for image, path in images.items()
    ]


def _box(written: object) -> Box | None:
    """COCO's x, y, width, height; None where it is none: classes need no boxes."""
    if not isinstance(written, list) or len(written) != 4 or not all(isinstance(one, int | float) for one in written):
        return None
    left, top, width, height = written
    return box_of([top, left, top + height, left + width])


def _by_id(items: Sequence[dict[str, object]], key: str, where: str) -> dict[object, str]:
    found: dict[object, str] = {}
    for i, item in enumerate(items):
        value, its_id = item.get(key), item.get("id")
        if not isinstance(value, str) or not value or not is_text(value) or not isinstance(its_id, int | str):
            raise DataError(f"{where}[{i}]: expected an `id` and a text `{key}`, found {ascii(item)[:80]}")
        if its_id in found:
            raise DataError(f"{where}[{i}]: the id {its_id!r} occurs twice; give each its own")
        found[its_id] = value
    return found


class _Finder:
    """A `file_name` of COCO's -> the name of the picture in the store: the longest common end decides."""

    def __init__(self, names: Sequence[str]) -> None:
        self.by_base: defaultdict[str, list[str]] = defaultdict(list)
        for name in names:
            if is_picture(name):
                self.by_base[posixpath.basename(name)].append(name)

    def find(self, written: str, file: _File, where: str) -> str:
        """Raises DataError where several pictures fit alike. One that is not there is found by those who read it."""
        path = posixpath.normpath(written.replace("\\", "/")).lstrip("/")
        ends = [name for name in self.by_base[posixpath.basename(path)] if f"/{name}".endswith(f"/{path}")]
        if len(ends) > 1:
            beside = posixpath.dirname(file.name)
            by_place: Mapping[str, list[str]] = {
                "the folder of the JSON": [n for n in ends if n == posixpath.join(beside, path)],
                "the folder that the JSON is called after": [n for n in ends if _named_after(n, file.name)],
                "a folder of the same split": [n for n in ends if file.split and split_of(n) == file.split],
            }
            ends = next((found for found in by_place.values() if len(found) == 1), ends)
        if len(ends) > 1:
            raise DataError(f"{where}: {written} may be {few(ends, 20)}; write the folder into file_name")
        return ends[0] if ends else path


def _named_after(name: str, json_name: str) -> bool:
    """`train2017/1.jpg` and `annotations/instances_train2017.json`."""
    stem = posixpath.basename(json_name).removesuffix(".json")
    return stem.rpartition("_")[2] in name.split("/")[:-1]
