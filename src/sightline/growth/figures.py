"""What a learning curve found. Comes in: figures at numbers of pictures, and a Forecast; goes out: a Curve.

Must not know files, networks, or how it is told.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sightline.growth.forecast import TIMES, Forecast
from sightline.metrics import MAIN, Redrawn


@dataclass(frozen=True)
class Point:
    """What training on a share of the pictures gave on the test: `measured`, the task's main figure, and its draws."""

    share: float
    num: int
    measured: Redrawn

    @property
    def value(self) -> float:
        assert self.measured.figure.value is not None
        return self.measured.figure.value

    @property
    def interval(self) -> tuple[float, float]:
        assert self.measured.figure.interval is not None
        return self.measured.figure.interval


@dataclass(frozen=True)
class Curve:
    """
    points     the figure at rising numbers of training pictures, the last being all
    forecast   how it goes on
    num_test   test pictures, the same for all
    what       what was trained, in words
    notes      what to know
    """

    name: str
    task: str
    points: tuple[Point, ...]
    forecast: Forecast
    num_test: int
    what: str
    notes: tuple[str, ...]
    duration_s: float

    @property
    def figure(self) -> str:
        """What the task's figure is called: accuracy, mean_average_precision, r2."""
        return MAIN[self.task]

    @property
    def best(self) -> Point:
        """That of all training pictures."""
        return self.points[-1]

    def to_json(self) -> dict[str, Any]:
        """As plain values; figures, not errors: the higher the better."""
        found, laws = self.forecast, self.forecast.laws
        return {
            "figure": self.figure,
            "num_test": self.num_test,
            "points": [
                {"share": p.share, "num_train": p.num, self.figure: p.value, "interval": list(p.interval)}
                for p in self.points
            ],
            "verdict": found.verdict.value,
            "forecast": [
                {
                    "times": times, "num_train": at.num, self.figure: 1 - at.error,
                    "interval": [1 - at.interval[1], 1 - at.interval[0]],
                }
                for times, at in zip(TIMES, found.at, strict=True)
            ],
            "visible": found.visible,
            "law": {
                name: np.quantile(values, (0.5, 0.025, 0.975)).tolist()
                for name, values in (("exponent", laws.exponent), ("floor", laws.floor))
            },
            "what": self.what,
            "notes": list(self.notes),
            "duration_s": round(self.duration_s, 1),
        }  # fmt: skip

    def sentences(self) -> list[str]:
        """What more pictures would bring, for people."""
        from sightline.growth.words import sentences

        return sentences(self)

    def page(self) -> str:
        """One self-contained HTML page."""
        from sightline.growth.page import page

        return page(self)
