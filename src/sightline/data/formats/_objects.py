"""Pictures with labelled objects, as COCO and Pascal VOC have them. Comes in: one entry a picture; goes out: a
Dataset of those whose objects are all of one category.

A picture that shows several kinds has no one label: taking the largest, or the commonest, would teach a network that
the others are not there. Such pictures are left aside and counted; where more than half would be, that is an error,
since what is left is not the data set any more. Boxes are not kept yet. Must not know JSON or XML.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sightline.data.dataset import Dataset, FileImages, encode_labels
from sightline.data.formats._common import check_classes, count, few
from sightline.data.store import Store
from sightline.errors import DataError

MIN_KEPT = 0.5  # of the pictures that are listed


@dataclass(frozen=True)
class Annotated:
    """One picture: its name in the store, the categories of its objects (one each time it occurs), its split."""

    path: str
    categories: tuple[str, ...]
    split: str | None


def single_label(
    store: Store, location: str, format_name: str, pictures: Sequence[Annotated], notes: Sequence[str]
) -> Dataset:
    """The data set of the pictures of one category. Raises DataError where they are not even half of all."""
    repeated = [path for path, times in Counter(p.path for p in pictures).items() if times > 1]
    if repeated:
        raise DataError(f"{location}: annotated more than once: {few(repeated, 20)}; keep one entry for each")
    kept = [p for p in pictures if len(set(p.categories)) == 1]
    mixed = [p for p in pictures if len(set(p.categories)) > 1]
    empty = [p for p in pictures if not p.categories]
    if not kept or len(kept) < MIN_KEPT * len(pictures):
        raise DataError(_too_few(location, pictures, kept, mixed, empty))
    told = [*notes]
    if mixed:
        told.append(
            f"left aside {len(mixed):,} of {len(pictures):,} pictures: objects of several categories, where a picture "
            f"gets one label ({few([_seen(p) for p in mixed])})"
        )
    if empty:
        shown = few([p.path for p in empty])
        told.append(f"left aside {len(empty):,} of {len(pictures):,} pictures: no object in them ({shown})")
    labels = [p.categories[0] for p in kept]
    splits = None if any(p.split is None for p in kept) else [str(p.split) for p in kept]
    check_classes(location, labels, splits)
    paths = [p.path for p in kept]
    indices, classes = encode_labels(labels)
    return Dataset(
        location=location,
        format=format_name,
        images=FileImages(store, paths),
        paths=paths,
        labels=indices,
        classes=classes,
        splits=splits,
        notes=tuple(told),
    )


def _seen(picture: Annotated) -> str:
    return f"{picture.path}: {' + '.join(sorted(set(picture.categories)))}"


def _too_few(
    location: str,
    pictures: Sequence[Annotated],
    kept: Sequence[Annotated],
    mixed: Sequence[Annotated],
    empty: Sequence[Annotated],
) -> str:
    if not pictures:
        return f"{location}: the annotations list no picture"
    combinations = Counter(" + ".join(sorted(set(p.categories))) for p in mixed).most_common()
    shown = [f"{number:,} x {names}" for names, number in combinations]
    none = f" {count([p.path for p in empty], 'picture')} show no object." if empty else ""
    return (
        f"{location}: {len(mixed):,} of {len(pictures):,} pictures show objects of several categories "
        f"({few(shown)}), so no one label is true of them; {len(kept):,} show one kind only.{none} "
        "Write a table path,labels with all classes of each picture (`one.jpg,A;B`), or cut the objects out by their "
        "boxes into class folders."
    )
