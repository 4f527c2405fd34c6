"""Where the dots of estimated numbers go. Comes in: true and answered numbers; goes out: SVG coordinates.

Must not know colours, fonts or themes (the style sheet's) nor markup (the template's).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.report import words
from sightline.report.chart import Tick, ticks

SIDE = 460  # units of the view box: a square, so that a right answer lies on the diagonal
LEFT, RIGHT, TOP, BOTTOM = 92, 32, 12, 44
MAX_POINTS = 100  # of a line
MAX_DOTS = 2_000  # more would fill the square, and the page


@dataclass(frozen=True)
class Scatter:
    """`dots` (x, y); `num_hidden` were left out, evenly; `band`: lines of the ends of the answers' intervals."""

    name: str
    dots: tuple[tuple[float, float], ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    num_hidden: int
    summary: str
    band: tuple[str, ...] = ()


def scatter(
    name: str, truth: NDArray[np.float64], answers: NDArray[np.float64], ends: Sequence[NDArray[np.float64]] = ()
) -> Scatter:
    """True (N,) against answered (N,) numbers, on one scale; `ends` (N,): those of their intervals."""
    levels = ticks(float(min(truth.min(), answers.min())), float(max(truth.max(), answers.max())))
    low, high = levels[0], levels[-1]
    chosen = np.unique(np.linspace(0, len(truth) - 1, min(len(truth), MAX_DOTS)).astype(int))
    dots = tuple((place_x(float(truth[i]), low, high), place_y(float(answers[i]), low, high)) for i in chosen)
    return Scatter(
        name,
        dots,
        tuple(Tick(place_x(level, low, high), words.number(level, 6)) for level in levels),
        tuple(Tick(place_y(level, low, high), words.number(level, 6)) for level in levels),
        len(truth) - len(chosen),
        f"{name}: {len(truth):,} pictures, true numbers from {truth.min():.4g} to {truth.max():.4g}, answers from "
        f"{answers.min():.4g} to {answers.max():.4g}.",
        tuple(_line(end, answers, low, high) for end in ends),
    )


def _line(end: NDArray[np.float64], answers: NDArray[np.float64], low: float, high: float) -> str:
    """Where the truth (N,) would lie at one end of the interval, as far as the square goes."""
    inside = np.flatnonzero((end >= low) & (end <= high))
    order = inside[np.argsort(answers[inside], kind="stable")]
    chosen = order[np.unique(np.linspace(0, max(len(order) - 1, 0), min(len(order), MAX_POINTS)).astype(int))]
    places = ((place_x(float(end[i]), low, high), place_y(float(answers[i]), low, high)) for i in chosen)
    return " ".join(f"{x},{y}" for x, y in places)


def place_x(value: float, low: float, high: float) -> float:
    return round(LEFT + (value - low) / (high - low) * (SIDE - LEFT - RIGHT), 2)


def place_y(value: float, low: float, high: float) -> float:
    return round(TOP + (high - value) / (high - low) * (SIDE - TOP - BOTTOM), 2)
