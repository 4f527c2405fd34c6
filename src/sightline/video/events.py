"""Answers over time -> events: what was there, from when to when.

Comes in: a frame's own labels and the smoothed ones; goes out: an event as soon as it is over. Smoothed answers say
whether something is there, single frames since when: a mean is late.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sightline.decision import AnyPrediction, IntervalPrediction, NumberPrediction, Prediction, SetPrediction


@dataclass(frozen=True)
class Event:
    """start, end: seconds of the source. probability: the mean of its frames' smoothed ones; highest: the most."""

    label: str
    start: float
    end: float
    probability: float
    highest: float
    num_frames: int

    def line(self) -> str:
        """For people."""
        return f"{clock(self.start)} to {clock(self.end)}  {self.probability:6.1%}  {self.label}"


@dataclass
class _Open:
    start: float
    until: float
    total: float = 0.0
    highest: float = 0.0
    num: int = 0


class Events:
    """Shorter ones than `shortest` seconds are not told, and shorter gaps not made."""

    def __init__(self, shortest: float) -> None:
        self.shortest = shortest
        self._open: dict[str, _Open] = {}
        self._since: dict[str, float] = {}  # labels of the last frame by itself, and since when without a break
        self._held: set[str] = set()  # those of them that are smoothed ones too

    def add(self, seconds: float, alone: AnyPrediction, smoothed: AnyPrediction) -> list[Event]:
        """A frame's answers; goes out: the events that are over now."""
        self._until(seconds)
        gone = self._open.keys() - self._held
        over = self._over(label for label in gone if seconds - self._open[label].until >= self.shortest)
        self._since = {label: self._since.get(label, seconds) for label in _given(alone)}
        given = _given(smoothed)
        self._held = self._since.keys() & given.keys()
        for label, probability in given.items():
            event = self._open.setdefault(label, _Open(self._since.get(label, seconds), seconds))
            event.total, event.highest = event.total + probability, max(event.highest, probability)
            event.num += 1
        return over

    def close(self, seconds: float) -> list[Event]:
        """What was there until the end, at `seconds`."""
        self._until(seconds)
        return self._over(self._open)

    def _until(self, seconds: float) -> None:
        """What the last frame said, by itself and smoothed, held until now."""
        for label in self._held:
            self._open[label].until = seconds

    def _over(self, labels: Iterable[str]) -> list[Event]:
        over = {label: self._open.pop(label) for label in list(labels)}
        return [
            Event(label, one.start, one.until, one.total / one.num, one.highest, one.num)
            for label, one in over.items()
            if one.until - one.start >= self.shortest
        ]


def labels_of(answer: AnyPrediction) -> dict[str, float]:
    """The classes that an answer names, with their probabilities: none of a number."""
    if isinstance(answer, NumberPrediction | IntervalPrediction):
        return {}
    labels = [answer.label] if isinstance(answer, Prediction | SetPrediction) else answer.labels
    return {label: answer.probabilities[label] for label in labels}


def _given(answer: AnyPrediction) -> dict[str, float]:
    return {} if answer.doubt else labels_of(answer)


def clock(seconds: float) -> str:
    """12.4 -> 00:12.4; with hours where there are some."""
    tenths = round(10 * seconds)
    hours, minutes = tenths // 36000, tenths // 600 % 60
    return f"{f'{hours}:' if hours else ''}{minutes:02d}:{tenths % 600 / 10:04.1f}"
