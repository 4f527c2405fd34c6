"""Where the points of a reliability diagram go. Comes in: bins of answers; goes out: SVG coordinates.

Must not know colours, fonts or themes (the style sheet's) nor markup (the template's).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sightline.metrics import Bin
from sightline.report import scatter, words
from sightline.report.chart import Tick, ticks


@dataclass(frozen=True)
class Diagram:
    """`points`: x, y, and y of the interval's ends, in the view box of a scatter; the diagonal is what is promised."""

    points: tuple[tuple[float, float, float, float], ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    diagonal: tuple[float, float, float, float]
    summary: str  # for those who hear the page


def diagram(bins: Sequence[Bin], what: str = "right answers") -> Diagram:
    """Probability to the right, the share that is right upwards, both from the least to 1. `what` is right."""
    least = min(min(one.probability, one.interval[0]) for one in bins)
    levels = [level for level in ticks(least, 1.0) if level <= 1]
    low, high = levels[0], 1.0

    def x(value: float) -> float:
        return scatter.place_x(value, low, high)

    def y(value: float) -> float:
        return scatter.place_y(value, low, high)

    digits = 0 if high - low >= 0.1 else 1
    places = [(level, words.percent(level, digits)) for level in levels]
    said = "; ".join(f"about {words.percent(one.probability, 0)}: {words.percent(one.share_right)}" for one in bins)
    return Diagram(
        tuple((x(one.probability), y(one.share_right), y(one.interval[0]), y(one.interval[1])) for one in bins),
        tuple(Tick(x(level), text) for level, text in places),
        tuple(Tick(y(level), text) for level, text in places),
        (x(low), y(low), x(high), y(high)),
        f"The share of {what} by the probability that they were given with. {said}.",
    )
