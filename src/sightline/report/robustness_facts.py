"""What the page of a run's robustness is made of. Comes in: shares that were measured elsewhere; goes out: the facts of
a page, Charts. Must not know how anything was measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sightline.report import words
from sightline.report.chart import LABEL_GAP, Chart, Line, Tick, place_x, place_y, spread, ticks


@dataclass(frozen=True)
class Thumb:
    """A picture under a corruption: bytes of a PNG or JPEG, what was answered, and whether that was right."""

    image: bytes
    severity: int
    answer: str
    right: bool

    @property
    def media_type(self) -> str:
        return "image/png" if self.image.startswith(b"\x89PNG") else "image/jpeg"


@dataclass(frozen=True)
class Row:
    """One corruption: the share that is right at each severity, how much of the clean one is lost (0..1), the mean."""

    name: str
    meaning: str
    shares: tuple[float, ...]
    lost: tuple[float, ...]
    mean: float
    mean_lost: float
    shown: tuple[Thumb, ...]


@dataclass(frozen=True)
class RobustnessFacts:
    """
    headline, lead   how it stands, in words
    families         name -> rows
    example          the picture as it is, its path and its label
    """

    title: str
    created: str  # ISO 8601
    version: str
    figure: str
    num_pictures: int
    split: str
    headline: str
    lead: str
    clean: str
    families: dict[str, tuple[Row, ...]]
    severities: tuple[Row, ...]
    moves: tuple[Chart, ...]
    mirror: str
    attacks: Chart | None
    attacks_said: str
    example: Thumb
    example_path: str
    example_label: str
    notes: tuple[str, ...]
    duration_s: float


@dataclass(frozen=True)
class Shares:
    """One line: its name, its style (`strong`, `quiet`, `warm`) and shares over a strength."""

    name: str
    kind: str
    points: tuple[tuple[float, float], ...]


def share_chart(title: str, x_title: str, lines: Sequence[Shares], labels: Sequence[tuple[float, str]]) -> Chart:
    """Shares (0..1) over a strength; `labels`: where on the axis something stands, and what."""
    low, high = 0.0, 1.0  # the same for all, so that charts can be compared
    places = [x for line in lines for x, _ in line.points]
    first, last = min(places), max(places)
    placed = [tuple((place_x(x, first, last), place_y(y, low, high)) for x, y in sorted(line.points)) for line in lines]
    heights = spread([points[-1][1] for points in placed], LABEL_GAP)
    said = "; ".join(
        f"{line.name}: " + ", ".join(f"{words.percent(y)} at {x:g}" for x, y in sorted(line.points)) for line in lines
    )
    return Chart(
        title,
        f"{title}. {said}.",
        tuple(Tick(place_x(x, first, last), text) for x, text in labels),
        tuple(Tick(place_y(level, low, high), words.percent(level, 0)) for level in ticks(low, high)),
        tuple(
            Line(line.name, line.kind, points, height)
            for line, points, height in zip(lines, placed, heights, strict=True)
        ),
        x_title,
    )
