"""What the page of explanations is made of. Must not know how maps were made, or how a page is drawn."""

from dataclasses import dataclass

from sightline.report.facts import Card, Encoded


@dataclass(frozen=True)
class Kind:
    """Pictures of one kind, under a heading. `name`: of the section. `follows`: another of the same sort stands before
    it; `sort`: what the list of contents calls all of them, where there are several.
    """

    name: str
    heading: str
    text: str
    pictures: tuple[Card, ...]
    follows: bool = False
    sort: str = ""


@dataclass(frozen=True)
class Measured:
    """A line of the table of methods: its figures in words, by the table's columns."""

    name: str
    is_control: bool
    is_best: bool
    cells: tuple[str, ...]
    verdict: str


@dataclass(frozen=True)
class ExplainedFacts:
    """
    method, says, caution   of the method; caution may be empty
    scale, ends             the colours, and what their ends stand for
    kinds                   the pictures
    pieces, warnings        pieces that make an answer, and what is to be said of those that do so alone
    columns, rows, measured_on   the table of how true maps are; no rows where nothing was measured
    """

    title: str
    created: str  # ISO 8601
    version: str
    headline: str
    lead: str
    method: str
    says: str
    caution: str
    scale: Encoded
    ends: tuple[str, ...]
    kinds: tuple[Kind, ...]
    pieces: tuple[Card, ...]
    warnings: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    rows: tuple[Measured, ...]
    measured_on: str
    notes: tuple[str, ...]
    num_pictures: int
    duration_s: float
