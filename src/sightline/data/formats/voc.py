"""Pascal VOC: `Annotations/*.xml`, `JPEGImages/`, `ImageSets/Main/{train,val,trainval,test}.txt`; or XML files beside
their pictures, in split folders or not.

Comes in: a store; goes out: a Dataset whose classes are the objects' categories (see `_objects`). The format
is that of http://host.robots.ox.ac.uk/pascal/VOC/voc2012/devkit_doc.pdf. XML is read without document types, so that
no entity is expanded and nothing outside is fetched. Must not open a picture.
"""

import contextlib
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.parsers import expat

from sightline.data.dataset import Dataset
from sightline.data.formats._common import count, few, is_picture, read_bytes, split_of
from sightline.data.formats._objects import Annotated, Box, box_of, labelled
from sightline.data.storage.store import Store
from sightline.errors import DataError

ANNOTATIONS, PICTURES, LISTS = "Annotations", "JPEGImages", "ImageSets/Main"
LIST_NAMES = ("train", "val", "test", "trainval")
ROOT = "annotation"
MAX_DEPTH = 32  # of elements; VOC's own have five


@dataclass(frozen=True)
class _Layout:
    """XML file -> the stem that its picture and the split lists call it by; pictures by the same stem."""

    stems: Mapping[str, str]
    pictures: Mapping[str, Sequence[str]]
    in_voc_folders: bool


def recognises(store: Store) -> int:
    """3 if there are XML annotations in VOC's folders or beside pictures."""
    names = store.names()
    if len(_years(names)) > 1:
        return 3  # so that reading it says so
    layout = _layout(names)
    if not layout.stems:
        return 0
    try:
        with store.open(next(iter(layout.stems))) as file:
            return 3 if f"<{ROOT}".encode() in file.read(4096) else 0
    except OSError:
        return 0


def read(store: Store, entry: str | None) -> Dataset:
    """The annotated pictures. Raises DataError for damaged XML, lists that do not fit, or no object at all."""
    names = store.names()
    if len(years := _years(names)) > 1:
        raise DataError(
            f"{store.location}: several data sets: {few(years, 20)}; give the folder of the one that is meant"
        )
    layout = _layout(names)
    lists = _read_lists(store, names) if layout.in_voc_folders else {}
    known = set(layout.stems.values())
    for file, stems in lists.items():
        missing = [stem for stem in stems if stem not in known]
        if missing:
            raise DataError(
                f"{store.location}/{file}: no annotation for {few(missing, 20)}; add it, or remove the line"
            )
    splits = _splits(store.location, lists)
    unlisted = [stem for stem in layout.stems.values() if lists and stem not in splits]
    pictures = [
        _annotated(store, xml, stem, layout, splits.get(stem) or (None if lists else split_of(xml)))
        for xml, stem in layout.stems.items()
        if not lists or stem in splits
    ]
    found = {p.path for p in pictures}
    lonely = [
        name
        for name in names
        if is_picture(name) and name not in found and _stem(name, layout.in_voc_folders) not in known
    ]
    notes = []
    if unlisted:
        notes.append(f"left aside {count(unlisted, 'annotation')}: in no list of {LISTS}")
    if lonely:
        notes.append(f"left aside {count(lonely, 'picture')}: without an annotation")
    return labelled(store, store.location, "voc", pictures, notes)


def _years(names: Sequence[str]) -> list[str]:
    """Folders at the root that are a VOC each, as VOC2007 and VOC2012 below VOCdevkit."""
    divided = (name.split("/") for name in names if name.endswith(".xml"))
    return sorted({parts[0] for parts in divided if len(parts) == 3 and parts[1] == ANNOTATIONS})


def _layout(names: Sequence[str]) -> _Layout:
    if not any(name.endswith(".xml") for name in names):
        return _Layout({}, {}, False)
    in_folders = {n: _stem(n, True) for n in names if n.startswith(f"{ANNOTATIONS}/") and n.endswith(".xml")}
    beside = not in_folders
    pictures: dict[str, list[str]] = {}
    for name in names:
        if is_picture(name) and (beside or name.startswith(f"{PICTURES}/")):
            pictures.setdefault(_stem(name, not beside), []).append(name)
    if in_folders:
        return _Layout(in_folders, pictures, True)
    stems = {n: stem for n in names if n.endswith(".xml") and (stem := _stem(n, False)) in pictures}
    return _Layout(stems, pictures, False)


def _stem(name: str, in_voc_folders: bool) -> str:
    """`JPEGImages/2007_01.jpg` -> `2007_01`; beside each other the folder belongs to it."""
    stem = posixpath.splitext(name)[0]
    return stem.partition("/")[2] if in_voc_folders else stem


def _read_lists(store: Store, names: Sequence[str]) -> dict[str, list[str]]:
    """List file -> its lines; those of one class each (`cat_train.txt`) are another task's."""
    files = [name for name in (f"{LISTS}/{split}.txt" for split in LIST_NAMES) if name in names]
    return {name: list(_lines(store, name)) for name in files}


def _lines(store: Store, name: str) -> Iterator[str]:
    where = f"{store.location}/{name}"
    for number, line in enumerate(read_bytes(store, name, where).decode("utf-8-sig", "replace").splitlines(), 1):
        words = line.split()
        if len(words) > 1:
            raise DataError(f"{where}, line {number}: {line!r}; expected one name, without its extension")
        yield from words


def _splits(location: str, lists: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Stem -> split. `trainval` says no more than `train` and `val` do, where these are there; else it is train."""
    splits: dict[str, str] = {}
    for file, stems in lists.items():
        split = posixpath.basename(file).removesuffix(".txt")
        for stem in stems:
            if split == "trainval":
                splits.setdefault(stem, "train")
            elif splits.setdefault(stem, split) != split:
                raise DataError(
                    f"{location}/{file}: {stem} is in {splits[stem]} too; a picture belongs to one split, remove it "
                    "from the other list"
                )
    return splits


def _annotated(store: Store, xml: str, stem: str, layout: _Layout, split: str | None) -> Annotated:
    where = f"{store.location}/{xml}"
    file_name, categories, boxes = _parse(read_bytes(store, xml, where), where)
    found = layout.pictures.get(stem, [])
    if len(found) > 1:
        named = [name for name in found if posixpath.basename(name) == posixpath.basename(file_name)]
        if len(named) != 1:
            raise DataError(f"{where}: several pictures of this name: {few(found, 20)}; keep the one that is meant")
        found = named
    # One that is not there is found with all others that cannot be read.
    path = found[0] if found else f"{PICTURES}/{posixpath.basename(file_name) or stem + '.jpg'}"
    return Annotated(path, tuple(categories), split, tuple(boxes))


def _parse(data: bytes, where: str) -> tuple[str, list[str], list[Box | None]]:
    """The picture's file name, the names of the objects and their boxes. Raises DataError with the line."""
    path: list[str] = []
    texts: list[str] = []
    file_name: list[str] = []
    categories: list[str] = []
    boxes: list[Box | None] = []
    sides: dict[str, float] = {}
    num_objects = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal num_objects
        path.append(tag)
        texts.clear()
        if len(path) > MAX_DEPTH:
            raise DataError(f"{where}, line {parser.CurrentLineNumber}: elements nested deeper than {MAX_DEPTH}")
        if path[0] != ROOT:
            raise DataError(f"{where}: no VOC annotation: <{path[0]}> instead of <{ROOT}>")
        num_objects += path == [ROOT, "object"]

    def end(tag: str) -> None:
        text = "".join(texts).strip()
        if path == [ROOT, "filename"]:
            file_name.append(text)
        if path == [ROOT, "object", "name"]:
            if not text:
                raise DataError(f"{where}, line {parser.CurrentLineNumber}: an object without a name; fill it in")
            categories.append(text)
        if path[:-1] == [ROOT, "object", "bndbox"]:
            with contextlib.suppress(ValueError):  # classes need no boxes
                sides[tag] = float(text)
        if path == [ROOT, "object"]:
            boxes.append(box_of([sides.get(name) for name in ("ymin", "xmin", "ymax", "xmax")]))
            sides.clear()
        path.pop()
        texts.clear()

    def refuse(*_: object) -> None:
        raise DataError(
            f"{where}, line {parser.CurrentLineNumber}: a document type, which can make a parser read other files or "
            "fill the memory; VOC has none, remove it"
        )

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = texts.append
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # the latter: an encoding that is not known
        raise DataError(f"{where}: not readable XML: {error}; write it again") from error
    if len(categories) != num_objects:
        raise DataError(f"{where}: {num_objects} objects, but {len(categories)} names; each needs one")
    return (file_name or [""])[0], categories, boxes
