"""What the page of a network's inside is made of. Must not know how anything was found, or how a page is drawn."""

from dataclasses import dataclass

from sightline.report.facts import Encoded


@dataclass(frozen=True)
class StageRow:
    """A line of the table of stages; `share`: of the tested pictures that a linear layer on the stage gets right."""

    name: str
    channels: str
    grid: str
    sees: str
    counts: str
    share: float
    said: str


@dataclass(frozen=True)
class Sheet:
    """Pictures side by side, under a name; `alt`: what they are, in words."""

    name: str
    image: Encoded
    alt: str


@dataclass(frozen=True)
class InsideFacts:
    """
    stages     the table
    filters    of the first layer; None where it reads no pixels
    maps       of one picture, a sheet a stage
    channels   a sheet a stage
    plane, plane_said, legend   all tested pictures on a plane; the classes' colours, where these suffice
    """

    title: str
    created: str  # ISO 8601
    version: str
    headline: str
    lead: str
    stages: tuple[StageRow, ...]
    filters: Sheet | None
    example_path: str
    maps: tuple[Sheet, ...]
    channels: tuple[Sheet, ...]
    plane: Encoded
    plane_said: str
    legend: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    num_pictures: int
    duration_s: float
