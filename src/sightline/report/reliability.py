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


def diagram(bins: Sequence[Bin]) -> Diagram:
    """Probability to the right, the share that is right upwards, both from the least to 1."""
    least = min(min(one.probability, one.interval[0]) for one in bins)
    levels = [level for level in ticks(least, 1.0) if level <= 1]
    low, high = levels[0], 1.0
    points = tuple(
        (scatter.place_x(one.probability, low, high), *(
            scatter.place_y(value, low, high) for value in (one.share_right, *one.interval)
        ))
        for one in bins
    )  # fmt: skip
    places = [(level, words.percent(level, 0)) for level in levels]
    said = "; ".join(f"about {words.percent(one.probability, 0)}: {words.percent(one.share_right)}" for one in bins)
    return Diagram(
        points,
        tuple(Tick(scatter.place_x(level, low, high), text) for level, text in places),
        tuple(Tick(scatter.place_y(level, low, high), text) for level, text in places),
        (scatter.place_x(low, low, high), scatter.place_y(low, low, high),
         scatter.place_x(high, low, high), scatter.place_y(high, low, high)),
        f"The share of right answers by the probability that they were given with. {said}.",
    )  # fmt: skip
