"""What the page of a learning curve is made of, and where it is drawn. Comes in: figures and errors in plain values;
goes out: CurveFacts, a drawing. Must not know how they were measured or fitted.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sightline.report.chart import Chart, Line, Tick, place_x, place_y, ticks

MIN_RANGE = 1e-3  # of errors: axes of a curve without any mistake


@dataclass(frozen=True)
class CurveRow:
    """A line of the table, in words; `is_forecast`: no measurement."""

    share: str
    num: str
    value: str
    interval: str
    is_forecast: bool


@dataclass(frozen=True)
class Dot:
    """An error that was measured at `num` pictures, with its interval."""

    num: float
    error: float
    low: float
    high: float


@dataclass(frozen=True)
class CurveFacts:
    """All that the page tells. `law`: middle, low and high errors of the fit at `law_nums`, which rise; None where it
    cannot be extended. `is_share`: errors are percentages."""

    title: str
    created: str  # ISO 8601
    version: str
    headline: str
    lead: tuple[str, ...]
    figure: str
    error: str  # what falls
    rows: tuple[CurveRow, ...]
    dots: tuple[Dot, ...]
    law_nums: tuple[float, ...]
    law: tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]] | None
    is_share: bool
    num_test: int
    what: str
    how: str
    notes: tuple[str, ...]
    duration_s: float


@dataclass(frozen=True)
class CurveDrawing:
    """A chart, with whiskers (x, y, upper end, lower end) and the band of the fit, as an SVG path."""

    chart: Chart
    whiskers: tuple[tuple[float, float, float, float], ...]
    band: str


def drawn(facts: CurveFacts) -> CurveDrawing:
    """Errors over the logarithm of the number of pictures: measured, fitted, and beyond what was measured, dashed."""
    last = facts.dots[-1].num
    nums = [dot.num for dot in facts.dots] + ([] if facts.law is None else [facts.law_nums[-1] / 2, facts.law_nums[-1]])
    first_x, last_x = math.log(nums[0]) - 0.15, math.log(nums[-1]) + 0.15
    highest = max([dot.high for dot in facts.dots] + ([max(facts.law[0])] if facts.law else []))
    levels = ticks(0.0, max(highest, MIN_RANGE))

    def x_of(num: float) -> float:
        return place_x(math.log(num), first_x, last_x)

    def y_of(error: float) -> float:
        return place_y(min(max(error, levels[0]), levels[-1]), levels[0], levels[-1])

    def along(nums: Sequence[float], errors: Sequence[float]) -> tuple[tuple[float, float], ...]:
        return tuple((x_of(num), y_of(error)) for num, error in zip(nums, errors, strict=True))

    lines, band = [], ""
    if facts.law is not None:
        middle, low, high = facts.law
        split = max(i for i, num in enumerate(facts.law_nums) if num <= last * 1.0001)
        inside, beyond = (
            along(facts.law_nums[: split + 1], middle[: split + 1]),
            along(facts.law_nums[split:], middle[split:]),
        )
        lines = [Line("", "strong", inside, 0.0), Line("", "dashed", beyond, 0.0)]
        edge = along(facts.law_nums, high) + along(facts.law_nums, low)[::-1]
        band = "M" + "L".join(f"{x:g} {y:g}" for x, y in edge) + "z"
    whiskers = tuple((x_of(d.num), y_of(d.error), y_of(d.high), y_of(d.low)) for d in facts.dots)
    chart = Chart(
        f"{facts.error} on the test, and how it would go on" if facts.law else f"{facts.error} on the test",
        _summary(facts),
        tuple(Tick(x_of(num), f"{num:,.0f}") for num in nums),
        tuple(Tick(y_of(level), f"{100 * level:g}\u00a0%" if facts.is_share else f"{level:g}") for level in levels),
        tuple(lines),
        "pictures that train",
    )
    return CurveDrawing(chart, whiskers, band)


def _summary(facts: CurveFacts) -> str:
    """For those who hear the page."""
    measured = "; ".join(f"{row.num} pictures: {row.value}" for row in facts.rows if not row.is_forecast)
    ahead = "; ".join(f"{row.num} pictures: {row.value}" for row in facts.rows if row.is_forecast)
    return f"{facts.figure}. Measured at {measured}." + (f" Expected at {ahead}." if ahead else "")
