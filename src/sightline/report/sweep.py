"""The losses of a sweep over learning rates, and where they are drawn. Comes in: rates and losses; goes out: the facts
of a page, a Chart. Must not know how they were found.
"""

import math
from dataclasses import dataclass

from sightline.report.chart import Chart, Line, Tick, place_x, place_y, ticks

MOST = 1.25  # of the first loss: what is higher is cut off


@dataclass(frozen=True)
class SweepFacts:
    """`steps`: rate, loss, smoothed loss of each; `sentence`: what was trained."""

    title: str
    created: str  # ISO 8601
    version: str
    steps: tuple[tuple[float, float, float], ...]
    suggested: float
    default: float
    sentence: str
    notes: tuple[str, ...] = ()


def drawn(facts: SweepFacts) -> Chart:
    """The losses over the logarithm of the rate, with a mark at the one to take."""
    top = MOST * facts.steps[0][2]
    logs = [math.log10(rate) for rate, _, _ in facts.steps]
    first, last = logs[0], logs[-1]
    levels = ticks(0.0, min(top, max(loss for step in facts.steps for loss in step[1:])))

    def line(name: str, kind: str, column: int) -> Line:
        values = [min(step[column], levels[-1]) for step in facts.steps]
        points = tuple(
            (place_x(x, first, last), place_y(y, levels[0], levels[-1])) for x, y in zip(logs, values, strict=True)
        )
        return Line(name, kind, points, points[-1][1])

    each, smoothed = line("", "quiet", 1), line("", "strong", 2)
    powers = range(math.ceil(first), math.floor(last) + 1)
    mark = Tick(place_x(math.log10(facts.suggested), first, last), f"{facts.suggested:.2g}")
    return Chart(
        "Loss",
        f"The loss falls from {facts.steps[0][2]:.2f} to {min(step[2] for step in facts.steps):.2f}; "
        f"most of it by a rate of {facts.suggested:.2g}.",
        tuple(Tick(place_x(power, first, last), f"{10.0**power:g}") for power in powers),
        tuple(Tick(place_y(level, levels[0], levels[-1]), f"{level:g}") for level in levels),
        (each, smoothed),
        "learning rate",
        (mark,),
    )
