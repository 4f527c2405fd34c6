"""Where the curve of wrong answers by answers given goes. Comes in: its points; goes out: SVG coordinates.

Must not know colours, fonts or themes (the style sheet's) nor markup (the template's).
"""

from dataclasses import dataclass

from sightline.metrics.risk_coverage import RiskCoverage
from sightline.report import scatter, words
from sightline.report.chart import Tick, ticks


@dataclass(frozen=True)
class Drawn:
    """`path`: the points of a line in the view box of a scatter."""

    path: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    aurc: float
    summary: str  # for those who hear the page


def drawn(found: RiskCoverage) -> Drawn:
    """The share of pictures answered to the right, the share of wrong answers upwards, from 0."""
    levels = ticks(0.0, max(0.01, *(wrong for _, wrong in found.points)))
    digits = 0 if levels[-1] >= 0.1 else 1
    points = (
        (scatter.place_x(share, 0, 1), scatter.place_y(wrong, 0, levels[-1])) for share, wrong in found.points
    )  # fmt: skip
    said = "; ".join(
        f"{words.percent(share, 0)} answered: {words.percent(wrong)} wrong"
        for share, wrong in found.points[:: max(1, len(found.points) // 5)]
    )
    return Drawn(
        " ".join(f"{x:g},{y:g}" for x, y in points),
        tuple(Tick(scatter.place_x(level / 4, 0, 1), words.percent(level / 4, 0)) for level in range(5)),
        tuple(Tick(scatter.place_y(level, 0, levels[-1]), words.percent(level, digits)) for level in levels),
        found.aurc,
        f"The share of wrong answers by the share of pictures answered. {said}.",
    )
