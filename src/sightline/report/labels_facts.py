"""What the page of suspected labels is made of. Comes in: what was found, in plain values; goes out: LabelsFacts.

Opens the few pictures that are shown, and no other. Must not know how labels are judged, or how a page is drawn.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sightline.data.dataset import Dataset
from sightline.data.decode import PictureError
from sightline.report import words
from sightline.report.facts import Card
from sightline.report.thumbnail import thumbnail

THUMBNAIL_SIDE = 200  # pixels
NUM_SHOWN = 60  # cards, some 500 kB of photographs; the rest is in suspects.csv
PAIRS_SHOWN = 20


@dataclass(frozen=True)
class Suspected:
    """A picture by its row, what it is labelled with, what is suggested, and how probable both are."""

    row: int
    label: str
    suggested: str
    p_label: float
    p_suggested: float


@dataclass(frozen=True)
class Pair:
    """How many pictures of one class look like another, and their share of the class."""

    label: str
    suggested: str
    count: int
    share: float


@dataclass(frozen=True)
class LabelsFacts:
    """All that the page tells. `how_many`, `of_run`: sentences; `what`: how it was found, in words."""

    title: str
    created: str  # ISO 8601
    version: str
    headline: str
    how_many: str
    of_run: str
    num_pictures: int
    num_classes: int
    num_suspects: int
    cards: tuple[Card, ...]
    pairs: tuple[Pair, ...]
    num_pairs: int
    has_table: bool  # whether there is a labels.csv
    what: dict[str, str]
    notes: tuple[str, ...]
    duration_s: float


def cards(dataset: Dataset, suspects: Iterable[Suspected]) -> tuple[Card, ...]:
    """The first of the list, as pictures; one that has gone since it was read is left out."""
    found = list[Card]()
    for one in suspects:
        if len(found) == NUM_SHOWN:
            break
        try:
            image = thumbnail(dataset, one.row, THUMBNAIL_SIDE)
        except (PictureError, OSError):
            continue
        lines = (
            ("Labelled", one.label, "plain"),
            ("Probability", words.percent(one.p_label), ""),
            ("Looks like", one.suggested, "plain"),
            ("Probability", words.percent(one.p_suggested), ""),
        )
        found.append(Card(dataset.paths[one.row], image, f"Picture labelled {one.label}", lines))
    return tuple(found)


def pairs(suspects: Sequence[Suspected], sizes: dict[str, int]) -> tuple[Pair, ...]:
    """Class by class, the most pictures first; `sizes`: the pictures of each class."""
    counted = Counter((one.label, one.suggested) for one in suspects)
    ranked = sorted(counted.items(), key=lambda item: -item[1])
    return tuple(Pair(label, other, num, num / sizes[label]) for (label, other), num in ranked)
