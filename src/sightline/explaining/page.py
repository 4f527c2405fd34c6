"""The pages of explanations. Comes in: a Gallery, Explanations, a Comparison; goes out: one HTML file's text."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from sightline import __version__
from sightline.data.preprocess import to_channels
from sightline.explainers import METHODS
from sightline.explaining import words
from sightline.explaining.alike import Memory
from sightline.explaining.colours import coloured
from sightline.explaining.comparison import Comparison, Row
from sightline.explaining.explainer import DEFAULT
from sightline.explaining.explanation import Explanation
from sightline.explaining.gallery import Gallery, Piece, Shown
from sightline.explaining.more import More
from sightline.explaining.overlay import enlarged
from sightline.report.explained_facts import ExplainedFacts, Kind, Measured
from sightline.report.facts import Card, Encoded
from sightline.report.page import render_explained
from sightline.report.thumbnail import encoded, thumbnail
from sightline.report.words import percent

MOST_PIECES = 12
SIDE = 448  # pixels of a picture on the page, where it is some 220 wide


@dataclass(frozen=True)
class _Table:
    rows: tuple[Row, ...] = ()
    best: str | None = None
    said: str = ""


def of_pictures(
    run: str, found: Sequence[Explanation], duration_s: float, also: Sequence[More] = (), memory: Memory | None = None
) -> str:
    """The page of some pictures, of one method; at least one. `also`: what else is known of some, by a memory."""
    kinds = [Kind("pictures", "Pictures", "In the order in which they were given.", tuple(_one(one) for one in found))]
    asked = sorted({one.question for one in found})
    headline = f"W{asked[0][1:]}" if len(asked) == 1 else "Why pictures are answered as they are"
    method = found[0].method
    lead = f"{words.title(method)} shows {METHODS.get(method).SAYS}."
    kinds += [] if memory is None else _alike(also, memory)
    return render_explained(_facts(run, method, headline, lead, kinds, _Table(), len(found), duration_s, []))


def of_gallery(found: Gallery) -> str:
    """The page of a run's test."""
    kinds = [
        Kind("mistakes", "The surest mistakes", "Wrong answers, those first of which the run was surest.",
             tuple(_of_test(one) for one in found.mistakes)),
        Kind("right", "Right answers", "The surest of each class.", tuple(_of_test(one) for one in found.right)),
    ]  # fmt: skip
    table = _Table(found.rows, None, words.measured_on(found.num_measured, found.split))
    headline = f"What {words.title(found.method)} shows of the {found.split} pictures"
    kinds = [kind for kind in kinds if kind.pictures]
    if found.memory is not None:
        kinds += [*_alike(found.more, found.memory), *_typical(found, found.memory)]
    lead = words.of_gallery(found)
    facts = _facts(found.run, found.method, headline, lead, kinds, table, found.num, found.duration_s, found.notes)
    pieces = tuple(card for one in found.pieces[:MOST_PIECES] for card in _cards(one))
    return render_explained(replace(facts, pieces=pieces, warnings=tuple(words.warnings(found.pieces))))


def of_comparison(found: Comparison) -> str:
    """The page of a comparison."""
    pictures = tuple(_one(one, ("by", words.title(one.method), "plain")) for one in found.examples)
    kinds = [Kind("pictures", "One picture, by every method", "Which of them is right the eye cannot tell.", pictures)]
    table = _Table(found.rows, found.best, words.measured_on(found.num, found.split))
    notes = [*found.notes, *(f"Left out: {why}" for why in found.left_out.values())]
    method, headline = found.best or DEFAULT, words.headline(found)
    return render_explained(
        _facts(found.run, method, headline, words.lead(found), kinds, table, found.num, found.duration_s, notes)
    )


def _facts(
    run: str, method: str, headline: str, lead: str, kinds: Sequence[Kind], table: _Table, num: int, duration_s: float,
    notes: Sequence[str],
) -> ExplainedFacts:  # fmt: skip
    own, names = METHODS.get(method), words.columns(table.rows) if table.rows else []
    ranked = sorted(table.rows, key=lambda row: -row.gap)
    return ExplainedFacts(
        title=Path(run).resolve().name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        version=__version__,
        headline=headline,
        lead=lead,
        method=words.title(method),
        says=own.SAYS,
        caution=own.CAUTION,
        scale=_scale(own.SIGNED),
        ends=("against", "nothing", "for the answer") if own.SIGNED else ("nothing", "most"),
        kinds=tuple(kinds),
        pieces=(),
        warnings=(),
        columns=(*((name, words.says(name)) for name in names), ("s a picture", "")) if names else (),
        rows=tuple(
            Measured(
                words.map_name(row), row.is_control, row.name == table.best,
                (*(words.cell(row.figures.get(name)) for name in names), f"{row.took_s:.3f}"), words.verdict(row),
            )
            for row in ranked
        ),
        measured_on=table.said,
        notes=tuple(notes),
        num_pictures=num,
        duration_s=duration_s,
    )  # fmt: skip


def _alike(also: Sequence[More], memory: Memory) -> list[Kind]:
    """Of each picture: the smallest part that changes its answer, and the most alike training pictures."""
    kinds = list[Kind]()
    for number, one in enumerate(also):
        shown, cards = one.explanation, list[Card]()
        if one.region is not None:
            lines = (("blanked", percent(one.region.share), ""), ("answer then", one.becomes, "plain"))
            outlined = encoded(np.asarray(shown.outlined(one.region.mask)), SIDE)
            cards.append(Card(shown.path, outlined, "The smallest part that changes the answer", lines))
        own = (
            one.alike.own[:-1] if cards and len(one.alike.own) > 1 else one.alike.own
        )  # a full row with the first card
        for heading, rows in (("for it", own), ("against it", one.alike.others)):
            cards += [_trained(memory, row, (heading, f"{near:.2f} alike", "")) for row, near in rows]
        kinds.append(
            Kind(f"more-{number}", shown.path, words.alike(one), tuple(cards), number > 0, "More of each picture")
        )
    return kinds


def _typical(found: Gallery, memory: Memory) -> list[Kind]:
    """Of each class its most and least typical training pictures."""
    kinds = list[Kind]()
    for number, (name, prototypes, criticisms) in enumerate(found.typical):
        cards = [_trained(memory, row, ("kind", "typical", "")) for row in prototypes]
        cards += [_trained(memory, row, ("kind", "odd", "")) for row in criticisms]
        text = words.TYPICAL if number == 0 else ""
        kinds.append(Kind(f"class-{number}", name, text, tuple(cards), number > 0, "Typical and odd pictures"))
    return kinds


def _trained(memory: Memory, row: int, line: tuple[str, str, str]) -> Card:
    label = memory.dataset.label_text(row)
    return Card(
        memory.dataset.paths[row], thumbnail(memory.dataset, row), f"Training picture of {label}",
        (("label", label, "plain"), line),
    )  # fmt: skip


def _cards(one: Piece) -> tuple[Card, Card]:
    """The picture that a piece was cut out of, framed, and another with the piece."""
    found, framed = one.found, enlarged(to_channels(one.source, 3).astype(np.uint8))
    times = framed.shape[0] // one.source.shape[0]
    top, left, side = (times * value for value in (found.top, found.left, found.side))
    draw = ImageDraw.Draw(drawn := Image.fromarray(framed))
    for width, colour in ((5, "black"), (3, "white")):
        draw.rectangle((left, top, left + side - 1, top + side - 1), outline=colour, width=width)
    kind = "wrong" if found.suffices else "plain"
    return (
        Card(one.path, encoded(np.asarray(drawn), SIDE), f"The piece that makes {found.label}", (
            ("makes", found.label, "plain"), ("turns", words.with_span(found.turned), ""),
            ("another piece", words.with_span(found.control), ""), ("lost without", words.with_span(found.lost), ""),
        )),
        Card(
            "another picture, with the piece", encoded(enlarged(one.other), SIDE), f"With the piece of {found.label}",
            (("answer", found.answer, kind),),
        ),
    )  # fmt: skip


def _of_test(one: Shown) -> Card:
    kind = "plain" if one.is_right is None else "right" if one.is_right else "wrong"
    return _one(one.explanation, ("label", one.label, "plain"), kind)


def _one(one: Explanation, *first: tuple[str, str, str] | str) -> Card:
    kind = next((each for each in first if isinstance(each, str)), "plain")
    lines = [each for each in first if not isinstance(each, str)]
    said = ", ".join(_answer(one))
    return Card(
        one.path,
        encoded(enlarged(one.picture), SIDE),
        f"{one.path}: {one.question}, answered {said}",
        (
            *lines,
            ("answer", said, kind),
            ("asked", one.question, ""),
            ("scale to", f"{one.top:.2g} {one.unit}", ""),
        ),
        over(one),
    )


def over(one: Explanation, side: int = SIDE) -> Encoded:
    """The picture under its map, small enough for a page."""
    return Encoded(encoded(np.asarray(one.overlay(scale=False)), side))


def _answer(one: Explanation) -> list[str]:
    """What was answered, with how probable it is."""
    probabilities: dict[str, float] = getattr(one.answer, "probabilities", {})  # numbers have none
    label: str | None = getattr(one.answer, "label", None)
    if label is not None:
        return [f"{label} {percent(probabilities[label])}"]
    labels: list[str] | None = getattr(one.answer, "labels", None)
    if labels is not None:
        return [f"{name} {percent(probabilities[name])}" for name in labels] or ["none"]
    values: dict[str, float] = getattr(one.answer, "values", {})
    return [f"{name} {value:.4g}" for name, value in values.items()]


def _scale(signed: bool) -> Encoded:
    values = np.linspace(-1 if signed else 0, 1, 256, dtype=np.float32)[None]
    buffer = io.BytesIO()
    Image.fromarray(np.repeat(coloured(values, signed), 8, axis=0)).save(buffer, "PNG")
    return Encoded(buffer.getvalue())
