"""The page of a network's inside. Comes in: an Inside; goes out: one HTML file's text."""

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline import __version__
from sightline.data.preprocess import to_channels
from sightline.explaining.colours import coloured
from sightline.explaining.inside.look import Inside, Stage
from sightline.report.facts import Encoded
from sightline.report.inside_facts import InsideFacts, Sheet, StageRow
from sightline.report.page import render_inside
from sightline.report.words import percent, pictures, span

TILE, GAP, FRAME = 88, 6, 3  # pixels
FILTER, FILTERS_A_ROW = 40, 20
PLANE, THUMB = (1240, 860), 34
# Okabe and Ito's, told apart by all common kinds of colour blindness, and two greys.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#000000", "#999999", "#7a4a2a")

Pixels8 = NDArray[np.uint8]


def page(found: Inside) -> str:
    """The whole page."""
    return render_inside(_facts(found))


def headline(found: Inside) -> str:
    """From which stage on it tells as much as the whole."""
    least = found.accuracy.interval[0]
    enough = next((one for one in found.stages if one.accuracy.value >= least), None)
    if enough is None:
        return f"What {found.architecture} has learned, stage by stage"
    number = found.stages.index(enough) + 1
    return f"Stage {number} of {len(found.stages)} tells already what the whole network does"


def lead(found: Inside) -> str:
    """The first and the last stage, beside the run itself."""
    first, last = found.stages[0], found.stages[-1]
    return (
        f"A linear layer on {first.name} gets {percent(first.accuracy.value)} right, on {last.name} "
        f"{percent(last.accuracy.value)}; the run itself {percent(found.accuracy.value)} "
        f"({span(found.accuracy.interval)}), of {pictures(len(found.labels), 'test')}."
    )


def lines(found: Inside) -> list[str]:
    """For a terminal."""
    width = max(len(one.name) for one in found.stages)
    rows = [
        f"{one.name:{width}}  {one.num_channels:5} channels, maps {one.grid[1]}x{one.grid[0]}, sees "
        f"{one.field.seen[1]}x{one.field.seen[0]}, counts {one.field.counts[1]}x{one.field.counts[0]}, right "
        f"{one.accuracy.value:.1%}"
        for one in found.stages
    ]
    return [*rows, f"{headline(found)}.", lead(found)]


def _facts(found: Inside) -> InsideFacts:
    counts = np.bincount(found.labels, minlength=len(found.classes))
    shown = np.argsort(-counts, kind="stable")[: len(COLOURS)].tolist()
    colour_of = dict(zip(shown, COLOURS, strict=False)) if (counts > 0).sum() <= len(COLOURS) else {}
    first = None
    if found.filters is not None:
        name, filters = found.filters
        first = Sheet(name, _sheet([[*filters]], FILTER, FILTERS_A_ROW), f"{len(filters)} filters of {name}")
    maps = [Sheet("the picture", _sheet([[found.example]], 2 * TILE), "The picture as the network sees it")]
    maps += [
        Sheet(one.name, _sheet([[coloured(each, False) for each in one.maps]], TILE), f"Maps of {one.name}")
        for one in found.stages
    ]
    return InsideFacts(
        title=Path(found.run).resolve().name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        version=__version__,
        headline=headline(found),
        lead=lead(found),
        stages=tuple(_row(one, found.frame) for one in found.stages),
        filters=first,
        example_path=found.example_path,
        maps=tuple(maps),
        channels=tuple(
            Sheet(one.name, _channels(one), f"Of {one.name} channels {', '.join(str(c.number) for c in one.channels)}")
            for one in found.stages
        ),
        plane=_plane(found, colour_of),
        plane_said=f"Test pictures as the last stage has them, placed by {found.by}: alike ones lie together. What "
        "lies among another class is hard for the network, rare, or labelled wrongly.",
        legend=tuple((found.classes[k], colour) for k, colour in colour_of.items() if counts[k]),
        notes=(f"Probes were fitted on {pictures(found.num_trained, 'training')}, drawn by chance.",),
        num_pictures=len(found.labels),
        duration_s=found.duration_s,
    )


def _row(one: Stage, frame: tuple[int, int]) -> StageRow:
    def size(sides: tuple[int, int]) -> str:
        return "all" if sides == frame else f"{sides[1]} × {sides[0]}"

    return StageRow(
        one.name, f"{one.num_channels:,}", f"{one.grid[1]} × {one.grid[0]}", size(one.field.seen),
        size(one.field.counts), one.accuracy.value, f"{percent(one.accuracy.value)} ({span(one.accuracy.interval)})",
    )  # fmt: skip


def _channels(one: Stage) -> Encoded:
    rows = []
    for channel in one.channels:
        row = [_tile(crop, TILE) for crop in channel.crops]
        if channel.made is not None:
            made = _tile(channel.made, TILE - 2 * FRAME)
            row.append(np.pad(made, ((FRAME, FRAME), (FRAME, FRAME), (0, 0)), constant_values=90))
        rows.append(row)
    return _sheet(rows, TILE)


def _tile(picture: Pixels8, side: int) -> Pixels8:
    """As a square in colour; small ones pixel by pixel."""
    smooth = max(picture.shape[:2]) > side
    image = Image.fromarray(to_channels(picture, 3).astype(np.uint8))
    how = Image.Resampling.LANCZOS if smooth else Image.Resampling.NEAREST
    scale = side / max(picture.shape[:2])
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    sheet = Image.new("RGB", (side, side), (128, 128, 128))
    sheet.paste(image.resize(size, how), ((side - size[0]) // 2, (side - size[1]) // 2))
    return np.asarray(sheet)


def _sheet(rows: Sequence[Sequence[Pixels8]], side: int, a_row: int = 20) -> Encoded:
    """Pictures in rows, those longer than `a_row` in several."""
    cut = [row[i : i + a_row] for row in rows for i in range(0, len(row), a_row)]
    width = max(len(row) for row in cut)
    sheet = Image.new("RGBA", (width * (side + GAP) - GAP, len(cut) * (side + GAP) - GAP), (0, 0, 0, 0))
    for y, row in enumerate(cut):
        for x, one in enumerate(row):
            sheet.paste(Image.fromarray(_tile(one, side)), (x * (side + GAP), y * (side + GAP)))
    return _encoded(sheet)


def _plane(found: Inside, colour_of: dict[int, str]) -> Encoded:
    width, height = PLANE
    sheet = Image.new("RGBA", PLANE, (0, 0, 0, 0))
    for (x, y), thumb, label in zip(found.places.tolist(), found.thumbs, found.labels.tolist(), strict=True):
        framed = Image.new("RGB", (THUMB + 2 * FRAME, THUMB + 2 * FRAME), colour_of.get(label, "#5b626a"))
        framed.paste(Image.fromarray(_tile(thumb, THUMB)), (FRAME, FRAME))
        sheet.paste(framed, (round(x * (width - framed.width)), round(y * (height - framed.height))))
    return _encoded(sheet)


def _encoded(image: Image.Image) -> Encoded:
    buffer = io.BytesIO()
    image.quantize(256, method=Image.Quantize.FASTOCTREE).save(buffer, "PNG", optimize=True)
    return Encoded(buffer.getvalue())
