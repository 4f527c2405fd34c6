"""Pictures with labelled objects, as COCO and Pascal VOC have them. Comes in: one entry a picture; goes out: a Dataset.

Where each picture shows objects of one category, that is its class. Where any shows several kinds, no one class is true
of it, neither the largest object's nor the commonest's: then each picture has all the classes that it shows, perhaps
none. Boxes are kept where they are given. Must not know JSON or XML.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from sightline.data.dataset import Boxes, Dataset, FileImages, encode_labels
from sightline.data.formats._common import check_classes, count, few
from sightline.data.storage.names import Names, Repeated
from sightline.data.storage.store import Store
from sightline.data.tasks import Labels, multi
from sightline.errors import DataError

Box = tuple[float, float, float, float]  # top, left, bottom, right, in pixels


@dataclass(frozen=True)
class Annotated:
    """One picture: its name in the store, the categories of its objects (one each time it occurs), its split, and the
    objects' boxes, one each; None where an object has none that could be one.
    """

    path: str
    categories: tuple[str, ...]
    split: str | None
    boxes: tuple[Box | None, ...] = ()


def labelled(
    store: Store, location: str, format_name: str, pictures: Sequence[Annotated], notes: Sequence[str]
) -> Dataset:
    """The data set of the pictures. Raises DataError where there are none, or no object in any of them."""
    repeated = [path for path, times in Counter(p.path for p in pictures).items() if times > 1]
    if repeated:
        raise DataError(f"{location}: annotated more than once: {few(repeated, 20)}; keep one entry for each")
    if not any(p.categories for p in pictures):
        raise DataError(f"{location}: the annotations list {'no object' if pictures else 'no picture'}")
    mixed = [p for p in pictures if len(set(p.categories)) > 1]
    kept = list(pictures) if mixed else [p for p in pictures if p.categories]
    bare = [p.path for p in kept if p.split is None]
    if bare and len(bare) < len(kept):
        raise DataError(f"{location}: of {count(bare, 'picture')} no split is said, of the others one is")
    splits = None if bare else [str(p.split) for p in kept]
    labels: Labels
    if mixed:
        labels, classes = multi.encode([sorted(set(p.categories)) for p in kept])
        told = [f"several labels a picture: {len(mixed):,} show objects of several categories ({_commonest(mixed)})"]
    else:
        written = [p.categories[0] for p in kept]
        check_classes(location, written, splits)
        labels, classes = encode_labels(written)
        empty = [p.path for p in pictures if not p.categories]
        told = [f"left aside {count(empty, 'picture')}: no object in them"] if empty else []
    paths = Names(p.path for p in kept)
    return Dataset(
        location=location,
        format=format_name,
        images=FileImages(store, paths),
        paths=paths,
        labels=labels,
        classes=classes,
        splits=None if splits is None else Repeated(splits),
        notes=(*notes, *told),
        boxes=_boxes(kept, classes),
    )


def box_of(sides: Sequence[object]) -> Box | None:
    """Top, left, bottom and right; None for what is no box of numbers with an area."""
    if len(sides) != 4 or not all(isinstance(side, int | float) for side in sides):
        return None
    top, left, bottom, right = (float(side) for side in sides)  # type: ignore[arg-type]  # numbers, as just seen
    is_box = all(map(isfinite, (top, left, bottom, right))) and bottom > top and right > left
    return (top, left, bottom, right) if is_box else None


def _boxes(pictures: Sequence[Annotated], classes: tuple[str, ...]) -> Boxes | None:
    number = {name: k for k, name in enumerate(classes)}
    found = [
        (row, number[category], box)
        for row, one in enumerate(pictures)
        for category, box in zip(one.categories, one.boxes, strict=False)
        if box is not None
    ]
    if not found:
        return None
    rows, labels, sides = zip(*found, strict=True)
    return Boxes(np.array(rows, np.intp), np.array(labels, np.intp), np.array(sides, np.float32))


def _commonest(pictures: Sequence[Annotated]) -> str:
    combinations = Counter(" + ".join(sorted(set(p.categories))) for p in pictures).most_common()
    return few([f"{number:,} x {names}" for names, number in combinations])
