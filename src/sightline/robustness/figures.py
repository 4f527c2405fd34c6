"""What is known of a run's robustness: dataclasses, and what follows from them. Must not know how it was measured."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sightline.data.preprocess import Pixels
from sightline.metrics import Difference, Figure, Rate


@dataclass(frozen=True)
class Corrupted:
    """One corruption: the share that is right at each severity, and the difference from the pictures as they are."""

    name: str
    family: str
    rates: tuple[Rate, ...]
    differences: tuple[Difference, ...]

    @property
    def mean(self) -> float:
        """Over the severities."""
        return float(np.mean([rate.value for rate in self.rates]))


@dataclass(frozen=True)
class Point:
    """How many answers stay what they were, and how many are right, at one level."""

    level: float
    stays: Rate
    right: Rate


@dataclass(frozen=True)
class Moved:
    """`kind`: shift (level: share of the shorter side), scale (times), rotation (degrees), mirror."""

    kind: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Attacked:
    """One attack, on `num` pictures: the share that is right in spite of it, for each eps (of 255), 0 at first."""

    name: str
    num: int
    epsilons: tuple[int, ...]
    rates: tuple[Rate, ...]


@dataclass(frozen=True)
class Example:
    """One picture, as the network is given it, and what was answered under each corruption: name -> (answer, right)."""

    path: str
    label: str
    answer: str  # as it is
    index: int
    image: Pixels
    answers: dict[str, tuple[tuple[str, bool], ...]]


@dataclass(frozen=True)
class Robustness:
    """
    figure       what "right" means: accuracy, or exact match where a picture has several classes
    num          pictures that were changed and answered, of `num_in_split`
    clean        the share of them that is right as they are
    mean_error   the share that is wrong, over all corruptions and severities, with its interval over pictures
    mean_drop    what is added to the clean share over all of them: below 0 where it falls
    num_bad      pictures that could not be read and were left out
    num_trained_on   how many show the very pixels of a training picture
    """

    run: str
    split: str
    figure: str
    num: int
    num_in_split: int
    seed: int
    clean: Rate
    mean_error: Figure
    mean_drop: Difference
    corruptions: tuple[Corrupted, ...]
    moves: tuple[Moved, ...]
    attacks: tuple[Attacked, ...]
    num_bad: int
    num_trained_on: int
    example: Example
    duration_s: float

    @property
    def relative_drop(self) -> float:
        """The share of the right answers that corruptions take, over all of them; 0 where none was right."""
        return -self.mean_drop.value / self.clean.value if self.clean.value else 0.0

    @property
    def worst(self) -> Corrupted:
        """The corruption under which the fewest answers are right."""
        return min(self.corruptions, key=lambda one: one.mean)

    def at_severity(self, severity: int) -> float:
        """The mean over the corruptions."""
        return float(np.mean([one.rates[severity - 1].value for one in self.corruptions]))

    def of_family(self, name: str) -> Sequence[Corrupted]:
        return [one for one in self.corruptions if one.family == name]

    def to_json(self) -> dict[str, Any]:
        """All but the example's pixels, as plain values."""
        document = asdict(self) | {"relative_drop": self.relative_drop}
        document["corruptions"] = [asdict(found) | {"mean": found.mean} for found in self.corruptions]
        del document["example"]
        return document | {"example": self.example.path}
