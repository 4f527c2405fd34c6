"""What the page of speeds is made of, and where it is drawn. Comes in: figures in plain values; goes out:
BenchmarkFacts, a drawing. Must not know how they were measured.
"""

import math
from dataclasses import dataclass

from sightline.report.chart import Chart, Line, Tick, place_x, place_y, ticks
from sightline.report.words import PERCENT

NUMBER_OFFSETS = (-9.0, 18.0)  # of neighbours, so that their numbers do not run into one another
MIN_RANGE = 0.02  # of accuracies: an axis of equal ones


@dataclass(frozen=True)
class SpeedDot:
    """One run or export: `rate` pictures a second, as right as `figure`; `is_best`: none is both faster and righter.

    number   of its row in the table, from 1 on
    """

    number: int
    name: str
    rate: float
    figure: float
    is_best: bool


@dataclass(frozen=True)
class BenchmarkFacts:
    """All that the page tells. `rows`: cells under `headings`. `dots`: those whose figure is known."""

    title: str
    created: str  # ISO 8601
    version: str
    headline: str
    machine: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    dots: tuple[SpeedDot, ...]
    duration_s: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SpeedDrawing:
    """chart: axes, and the line through the best. dots: x, y, where the number stands, it, whether it is best."""

    chart: Chart
    dots: tuple[tuple[float, float, float, int, bool], ...]


def drawn(facts: BenchmarkFacts) -> SpeedDrawing | None:
    """Speed to the right, in powers of ten, and rightness upwards; None for fewer than two dots."""
    if len(facts.dots) < 2:
        return None
    rates = [math.log10(dot.rate) for dot in facts.dots]
    figures = [dot.figure for dot in facts.dots]
    low, high = min(figures), max(figures)
    levels = ticks(min(low, high - MIN_RANGE), high, 3)
    first, last = math.floor(2 * min(rates)) / 2, math.ceil(2 * max(rates)) / 2
    powers = range(math.floor(first), math.ceil(last) + 1)
    marks = [(p + math.log10(m), f"{10.0**p * m:,g}") for p in powers for m in (1, 3)]
    x_ticks = tuple(Tick(place_x(at, first, last), text) for at, text in marks if first <= at <= last)
    y_ticks = tuple(Tick(place_y(y, levels[0], levels[-1]), f"{100 * y:g}") for y in levels)
    places = [
        (place_x(rate, first, last), place_y(dot.figure, levels[0], levels[-1]))
        for rate, dot in zip(rates, facts.dots, strict=True)
    ]
    order = sorted(range(len(places)), key=lambda i: places[i])
    offsets = {i: NUMBER_OFFSETS[rank % len(NUMBER_OFFSETS)] for rank, i in enumerate(order)}
    best = sorted(place for place, dot in zip(places, facts.dots, strict=True) if dot.is_best)
    said = ", ".join(f"{dot.name} {dot.rate:,.0f} a second at {100 * dot.figure:.2f}{PERCENT}" for dot in facts.dots)
    chart = Chart(
        "Right answers, in %, by pictures a second", f"{said}.", x_ticks, y_ticks,
        (Line("", "quiet", tuple(best), 0.0),), "pictures a second",
    )  # fmt: skip
    dots = tuple((x, y, y + offsets[i], facts.dots[i].number, facts.dots[i].is_best) for i, (x, y) in enumerate(places))
    return SpeedDrawing(chart, dots)
