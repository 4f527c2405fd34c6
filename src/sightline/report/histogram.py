"""How many pictures have which value. Comes in: values; goes out: the places of bars. Knows no colours."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.report.chart import Tick, ticks

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 300, 130, 8, 24, 8
NUM_BINS = 30


@dataclass(frozen=True)
class Histogram:
    """`bars`: x, y, width, height of each, in units of the view box."""

    title: str
    unit: str
    summary: str  # for those who hear the page
    bars: tuple[tuple[float, float, float, float], ...]
    x_ticks: tuple[Tick, ...]


def histogram(
    title: str, unit: str, values: NDArray[np.generic], spread: tuple[float, float] | None = None
) -> Histogram | None:
    """Bars over (N,) values; over `spread`, low and high, where it is given. None where all values are one."""
    numbers = np.asarray(values, np.float64)
    if not len(numbers) or numbers.min() == numbers.max():
        return None
    low, high = spread or (float(numbers.min()), float(np.quantile(numbers, 0.995)))
    marks = ticks(low, high, about=4)
    if spread is None:
        low, high = marks[0], marks[-1]
    marks = [mark for mark in marks if low <= mark <= high]
    counts, edges = np.histogram(numbers.clip(low, high), NUM_BINS, (low, high))
    scale = (WIDTH - 2 * LEFT) / (high - low)
    tall = (HEIGHT - TOP - BOTTOM) / counts.max()
    bars = tuple(
        (
            round(LEFT + (edge - low) * scale, 2),
            round(HEIGHT - BOTTOM - count * tall, 2),
            round((high - low) / NUM_BINS * scale - 1, 2),
            round(max(count * tall, 1.0), 2),  # a lone picture is seen
        )
        for edge, count in zip(edges[:-1].tolist(), counts.tolist(), strict=True)
        if count
    )
    middle = float(np.median(numbers))
    summary = f"{title}: from {numbers.min():.4g} to {numbers.max():.4g} {unit}, half below {middle:.4g}."
    places = tuple(Tick(round(LEFT + (mark - low) * scale, 2), f"{mark:,g}") for mark in marks)
    return Histogram(title, unit, summary, bars, places)
