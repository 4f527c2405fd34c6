"""Where lines and squares go. Comes in: the history, the confusion matrix; goes out: SVG coordinates.

Must not know colours, fonts or themes (the style sheet's) nor markup (the template's).
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.report.facts import Epoch
from sightline.report.words import PERCENT

# Units of the view box. Two charts side by side are about as wide on a desktop and one on a telephone,
# so that text keeps its size in both.
WIDTH, HEIGHT = 460, 270
LEFT, RIGHT, TOP, BOTTOM = 48, 84, 14, 44  # RIGHT leaves room for the names of the lines
LABEL_GAP = 17  # between the baselines of two names
MAX_MARKED = 40  # points; more of them would run into one another
LEVELS = 5  # shades of the heat map without numbers
MAX_SIDE = 200  # squares; more than this are thinner than three pixels


@dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True)
class Line:
    """One curve; `kind` names its style, `label_y` is where its name stands."""

    name: str
    kind: str
    points: tuple[tuple[float, float], ...]
    label_y: float

    @property
    def path(self) -> str:
        return " ".join(f"{x:g},{y:g}" for x, y in self.points)


@dataclass(frozen=True)
class Chart:
    title: str
    summary: str  # for those who hear the page
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    x_title: str = "epoch"
    marks: tuple[Tick, ...] = ()  # upright lines, named


@dataclass(frozen=True)
class Series:
    """Values over epochs, before they are placed. Epochs without a finite value are left out."""

    name: str
    kind: str
    values: tuple[tuple[int, float], ...]


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers (1, 2, 2.5, 5 times a power of ten) that enclose [low, high], about `about` of them."""
    if high <= low:
        low, high = low - 0.5, high + 0.5
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * next(factor for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def epoch_ticks(first: int, last: int, about: int = 6) -> list[int]:
    """Whole epochs inside [first, last]."""
    return [int(x) for x in ticks(first, last, about) if x == int(x) and first <= x <= last]


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """The positions, moved apart where two lie closer than `gap`; order and, for two, the middle stay."""
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    moved = list(positions)
    for before, after in itertools.pairwise(order):
        lack = gap - (moved[after] - moved[before])
        if lack > 0:
            moved[before] -= lack / 2
            moved[after] += lack / 2
    return moved


def curves(history: Sequence[Epoch], figure: str = "Accuracy") -> list[Chart]:
    """The loss and, where it was measured, the task's figure over epochs. One epoch or none, no charts."""
    if len(history) < 2:  # a point is no curve; the table has it
        return []
    losses = [
        _series("training", "quiet", history, lambda epoch: epoch.train_loss),
        _series("validation", "strong", history, lambda epoch: epoch.val_loss),
    ]
    scores = [_series("validation", "strong", history, lambda epoch: epoch.val_figure)]
    charts = [_chart("Loss", losses, lambda v: f"{v:g}", from_zero=True)]
    write = (lambda v: f"{v:g}") if figure == "R2" else (lambda v: f"{100 * v:g}{PERCENT}")
    charts.append(_chart(figure, scores, write, from_zero=False))
    return [chart for chart in charts if chart is not None]


def _series(name: str, kind: str, history: Sequence[Epoch], read: Callable[[Epoch], float | None]) -> Series:
    pairs = ((epoch.epoch, read(epoch)) for epoch in history)
    return Series(name, kind, tuple((x, y) for x, y in pairs if y is not None and math.isfinite(y)))


def _chart(title: str, drawn: list[Series], write: Callable[[float], str], from_zero: bool) -> Chart | None:
    drawn = [series for series in drawn if series.values]
    if not drawn:
        return None
    epochs = [x for series in drawn for x, _ in series.values]
    heights = [y for series in drawn for _, y in series.values]
    levels = ticks(min(0.0, *heights) if from_zero else min(heights), max(heights))
    first, last = min(epochs), max(epochs)
    placed = [
        tuple((place_x(x, first, last), place_y(y, levels[0], levels[-1])) for x, y in series.values)
        for series in drawn
    ]
    label_ys = spread([points[-1][1] for points in placed], LABEL_GAP)
    return Chart(
        title,
        _summary(title, drawn, write),
        tuple(Tick(place_x(x, first, last), f"{x:,}") for x in epoch_ticks(first, last)),
        tuple(Tick(place_y(y, levels[0], levels[-1]), write(y)) for y in levels),
        tuple(
            Line(series.name, series.kind, points, label_y)
            for series, points, label_y in zip(drawn, placed, label_ys, strict=True)
        ),
    )


def _summary(title: str, drawn: list[Series], write: Callable[[float], str]) -> str:
    parts = []
    for series in drawn:
        first, last = (write(round(series.values[i][1], 3)) for i in (0, -1))
        parts.append(f"{series.name} from {first} to {last}")
    return f"{title} over epochs: {', '.join(parts)}."


def place_x(epoch: float, first: float, last: float) -> float:
    """An epoch's place in the view box; a lone epoch stands in the middle."""
    share = (epoch - first) / (last - first) if last > first else 0.5
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 2)


def place_y(value: float, low: float, high: float) -> float:
    """A value's place in the view box, `high` on top."""
    return round(TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM), 2)


@dataclass(frozen=True)
class HeatMap:
    """A confusion matrix without numbers, `side` squares a side, `per_square` classes in each.

    `hits` (diagonal) and `misses` are SVG paths, one a shade, palest first.
    """

    side: int
    per_square: int
    hits: tuple[str, ...]
    misses: tuple[str, ...]


def heat_map(confusion: NDArray[np.int64]) -> HeatMap:
    """Many classes as shaded squares: (K, K) counts -> shares of each row in LEVELS shades."""
    per_square = math.ceil(len(confusion) / MAX_SIDE)
    side = math.ceil(len(confusion) / per_square)
    padding = side * per_square - len(confusion)
    blocks = np.pad(confusion, (0, padding)).reshape(side, per_square, side, per_square).sum(axis=(1, 3))
    shares = blocks / np.maximum(blocks.sum(axis=1, keepdims=True), 1)  # (side, side), rows sum to 1
    shades = np.ceil(shares * LEVELS).astype(np.int64)  # 0 nothing, 1 palest ... LEVELS
    diagonal = np.eye(side, dtype=bool)
    return HeatMap(
        side,
        per_square,
        tuple(_squares((shades == shade) & diagonal) for shade in range(1, LEVELS + 1)),
        tuple(_squares((shades == shade) & ~diagonal) for shade in range(1, LEVELS + 1)),
    )


def _squares(chosen: NDArray[np.bool_]) -> str:
    return "".join(f"M{column} {row}h1v1h-1z" for row, column in np.argwhere(chosen).tolist())
