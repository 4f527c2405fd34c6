"""Where a ROC curve goes. Comes in: the rates at each threshold, an operating point; goes out: SVG coordinates.

Must not know colours, fonts or themes (the style sheet's) nor markup (the template's).
"""

from dataclasses import dataclass

from sightline.metrics.operating_point import OperatingPoint, Point
from sightline.metrics.roc import Roc
from sightline.report import scatter, words
from sightline.report.chart import Tick

LEVELS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Cross:
    """A threshold: its place, and the ends of both intervals, left, right, top, bottom."""

    x: float
    y: float
    ends: tuple[float, float, float, float]


@dataclass(frozen=True)
class Curve:
    """`path`: SVG points of the curve; `chosen`: the threshold that was chosen beforehand; `plain`: one half."""

    path: str
    diagonal: tuple[float, float, float, float]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    chosen: Cross | None
    plain: Cross | None
    summary: str  # for those who hear the page


def drawn(roc: Roc, asked: OperatingPoint) -> Curve:
    """False alarms to the right, what is found upwards, both from 0 to 1."""
    corners = zip(roc.false_positive_rate, roc.sensitivity, strict=True)
    said = "; ".join(
        f"{words.percent(level, 0)} false alarms: {words.percent(_found_at(roc, level))} found"
        for level in (0.01, 0.05, 0.1)
    )
    return Curve(
        " ".join(f"{_x(x)},{_y(y)}" for x, y in corners),
        (_x(0), _y(0), _x(1), _y(1)),
        tuple(Tick(_x(level), words.percent(level, 0)) for level in LEVELS),
        tuple(Tick(_y(level), words.percent(level, 0)) for level in LEVELS),
        None if asked.transferred is None else _cross(asked.transferred),
        _cross(asked.as_answered),
        f"ROC curve of {asked.positive}. {said}.",
    )


def _found_at(roc: Roc, level: float) -> float:
    return max(y for x, y in zip(roc.false_positive_rate, roc.sensitivity, strict=True) if x <= level)


def _cross(point: Point) -> Cross | None:
    rates = point.sensitivity, point.specificity
    found, kept = (one.interval for one in rates)
    if rates[0].value is None or rates[1].value is None or found is None or kept is None:
        return None
    ends = _x(1 - kept[1]), _x(1 - kept[0]), _y(found[1]), _y(found[0])
    return Cross(_x(1 - rates[1].value), _y(rates[0].value), ends)


def _x(value: float) -> float:
    return scatter.place_x(value, 0.0, 1.0)


def _y(value: float) -> float:
    return scatter.place_y(value, 0.0, 1.0)
