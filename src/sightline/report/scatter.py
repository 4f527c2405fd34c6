"""Where the dots of estimated numbers go. Comes in: true and answered numbers; goes out: SVG coordinates.

Must not know colours, fonts or themes (the style sheet's) nor markup (the template's).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.report import words
from sightline.report.chart import Tick, ticks

SIDE = 460  # units of the view box: a square, so that a right answer lies on the diagonal
LEFT, RIGHT, TOP, BOTTOM = 92, 32, 12, 44
MAX_DOTS = 2_000  # more would fill the square, and the page


@dataclass(frozen=True)
class Scatter:
    """`dots` (x, y); the diagonal from (x, y) to (x, y); `num_hidden` dots were left out, drawn evenly."""

    name: str
    dots: tuple[tuple[float, float], ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    num_hidden: int
    summary: str


def scatter(name: str, truth: NDArray[np.float64], answers: NDArray[np.float64]) -> Scatter:
    """True (N,) against answered (N,) numbers, on one scale."""
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
    )


def place_x(value: float, low: float, high: float) -> float:
    return round(LEFT + (value - low) / (high - low) * (SIDE - LEFT - RIGHT), 2)


def place_y(value: float, low: float, high: float) -> float:
    return round(TOP + (high - value) / (high - low) * (SIDE - TOP - BOTTOM), 2)
