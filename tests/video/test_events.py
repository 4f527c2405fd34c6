"""Answers over time -> events, and what smoothing does to them."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.decision import MultiPrediction, NumberPrediction, Prediction
from sightline.video.events import Event, Events, clock
from sightline.video.smoothing import Smoothing


def answer(label: str, probability: float = 0.9, doubt: str = "") -> Prediction:
    return Prediction("x", label, probability, {label: probability, "other": 1 - probability}, doubt=doubt)


def events_of(labels: str, shortest: float = 0.25, step: float = 0.1, smoothed: str | None = None) -> list[Event]:
    """A letter a frame; a small one is in doubt. Smoothed as they are unless told otherwise."""
    events, found = Events(shortest), list[Event]()
    for i, (alone, mean) in enumerate(zip(labels, smoothed or labels, strict=True)):
        single, several = (answer(c.upper(), doubt="unknown" if c.islower() else "") for c in (alone, mean))
        found += events.add(i * step, single, several)
    return found + events.close(len(labels) * step)


def spans(found: list[Event]) -> list[tuple[str, float, float]]:
    return [(event.label, round(event.start, 6), round(event.end, 6)) for event in found]


def test_an_event_lasts_from_its_first_frame_to_the_next_after_its_last() -> None:
    assert spans(events_of("AAAAABBBBB")) == [("A", 0, 0.5), ("B", 0.5, 1.0)]


def test_short_gaps_are_not_made_and_short_events_not_told() -> None:
    assert spans(events_of("AAAABBAAAA")) == [("A", 0, 1.0)]
    assert spans(events_of("AAAABBBBAAAA")) == [("A", 0, 0.4), ("B", 0.4, 0.8), ("A", 0.8, 1.2)]


def test_frames_in_doubt_are_no_event() -> None:
    assert spans(events_of("aaaaAAAAaaaa")) == [("A", 0.4, 0.8)]


def test_a_late_mean_does_not_move_the_bounds() -> None:
    assert spans(events_of("AAAAAABBBBBB", smoothed="AAAAAAAABBBB")) == [("A", 0, 0.6), ("B", 0.6, 1.2)]


def test_probabilities_are_those_of_the_mean() -> None:
    events = Events(0)
    for i, probability in enumerate((0.8, 0.6, 1.0)):
        events.add(i, answer("A", 0.5), answer("A", probability))
    (found,) = events.close(3)
    assert (found.probability, found.highest, found.num_frames) == (pytest.approx(0.8), 1.0, 3)
    assert found.line() == "00:00.0 to 00:03.0   80.0%  A"


def test_several_classes_at_a_time_and_numbers() -> None:
    events = Events(0)
    for i, labels in enumerate((["A"], ["A", "B"], ["B"], [])):
        both = MultiPrediction("x", labels, {"A": 0.9, "B": 0.8})
        found = events.add(i, both, both)
    assert spans(found + events.close(4)) == [("A", 0, 2), ("B", 1, 3)]
    number = NumberPrediction("x", {"value": 3.0})
    assert Events(0).add(0, number, number) == [] == Events(0).close(1)


@given(st.text("ABab", min_size=1, max_size=60), st.integers(0, 4))
def test_whatever_is_answered_events_are_of_it(labels: str, num_short: int) -> None:
    found = events_of(labels, shortest=num_short / 10 - 0.01 if num_short else 0)
    for event in found:
        assert 0 <= event.start < event.end <= len(labels) / 10 + 1e-9
        assert labels[round(event.start * 10)] == event.label == labels[round(event.end * 10) - 1]
    for label in "AB":
        mine = [event for event in found if event.label == label]
        assert all(b.start - a.end >= num_short / 10 - 0.01 for a, b in pairwise(mine))
    if not num_short:
        in_order = sorted(found, key=lambda event: event.start)
        assert all(a.end <= b.start for a, b in pairwise(in_order))
        told = sum(round((event.end - event.start) * 10) for event in found)
        assert told == sum(letter.isupper() for letter in labels)


def test_the_weight_falls_by_half_in_a_half_life_however_many_frames_it_has() -> None:
    for step in (0.5, 0.1, 0.01):
        smoothing = Smoothing(0.5)
        smoothing(0.0, np.array([1.0]))
        for i in range(1, round(0.5 / step) + 1):
            found = smoothing(i * step, np.array([0.0]))
        assert found[0] == pytest.approx(0.5)


def test_nothing_is_smoothed_by_0_and_a_constant_stays() -> None:
    smoothing, steady = Smoothing(0), Smoothing(3)
    for i in range(5):
        assert smoothing(i / 10, np.array([float(i)]))[0] == i
        assert steady(i / 10, np.array([0.3]))[0] == pytest.approx(0.3)


def test_the_clock() -> None:
    assert [clock(seconds) for seconds in (0, 12.44, 59.96, 3725.5)] == ["00:00.0", "00:12.4", "01:00.0", "1:02:05.5"]
