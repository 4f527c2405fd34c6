"""Costs and trees of classes, against numbers worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from sightline.metrics import METRICS, Asked, Sample
from sightline.metrics._interval import of_mean, rate, wilson

OUTPUTS = np.array([[0.6, 0.4], [0.8, 0.2], [0.95, 0.05], [0.3, 0.7]])
LABELS = np.array([1, 0, 0, 1])
COSTS = np.array([[0.0, 1.0], [9.0, 0.0]])  # to miss the second class costs nine times as much


def sample(asked: Asked, labels: np.ndarray = LABELS, outputs: np.ndarray = OUTPUTS) -> Sample:
    return Sample(outputs, labels, outputs.argmax(axis=1), None, asked)


def test_costs_by_hand() -> None:
    found = METRICS.get("costs").measure(sample(Asked(("well", "sick"), costs=COSTS)))
    assert found.as_answered.value == 9 / 4  # the first picture is missed
    # 0.4 * 9 > 0.6 and 0.2 * 9 > 0.8, so the first two are called sick; 0.05 * 9 < 0.95
    assert found.least_expected.value == 1 / 4 and found.num_changed == 2
    assert (found.always.value, found.always_class) == (2 / 4, "sick")
    assert found.as_answered.interval == of_mean(np.array([9.0, 0, 0, 0]), None)


def test_where_nothing_cost_anything_something_may_yet() -> None:
    outputs = np.eye(2)[np.arange(50) % 2]
    found = METRICS.get("costs").measure(sample(Asked(costs=COSTS), np.arange(50) % 2, outputs)).as_answered
    assert found.value == 0 and found.interval == (0, pytest.approx(9 * wilson(0, 50)[1]))


def test_no_costs_and_no_tree_say_nothing() -> None:
    for name in ("costs", "hierarchy"):
        assert METRICS.get(name).measure(sample(Asked())) is None


TREE = (("animal", "cat"), ("animal", "dog"), ("thing", "car", "van"), ("thing", "car", "bus"), ("sky",))


def answered(truths: str, answers: str) -> Sample:
    labels, decided = (np.array([int(k) for k in text]) for text in (truths, answers))
    return Sample(np.zeros((len(labels), 5)), labels, decided, None, Asked(tree=TREE))


@pytest.mark.parametrize(
    ("truth", "answer", "distance"),
    [
        ("0", "1", 1),  # cat for dog: animal stands one level above both
        ("2", "3", 1),  # van for bus: car
        ("2", "0", 3),  # nothing in common
        ("4", "2", 3),
    ],
)
def test_the_distance_of_a_mistake(truth: str, answer: str, distance: int) -> None:
    found = METRICS.get("hierarchy").measure(answered(truth, answer))
    assert found.mistake_distance.value == distance and found.height == 3


def test_levels_count_what_is_right_as_far_down() -> None:
    found = METRICS.get("hierarchy").measure(answered("0012234", "0100324"))
    assert [one.num_classes for one in found.levels] == [3, 4, 5]
    # right: 0, 4; right as animals: 0 for 1, 1 for 0; as cars: 2 for 3, 3 for 2
    assert [round(7 * one.accuracy.value) for one in found.levels] == [6, 4, 2]
    assert found.levels[2].accuracy == rate(np.array([True, False, False, False, False, False, True]), None)
    assert found.mistake_distance.value == (1 + 1 + 3 + 1 + 1) / 5


def test_no_mistake_has_no_distance_and_alike_ones_an_interval() -> None:
    assert METRICS.get("hierarchy").measure(answered("01", "01")).mistake_distance.value is None
    found = METRICS.get("hierarchy").measure(answered("0123" * 5, "1032" * 5)).mistake_distance
    assert found.value == 1 and found.interval[1] > 1.05
    groups = np.repeat([0, 1], 10)
    by_group = METRICS.get("hierarchy").measure(replace(answered("0123" * 5, "1032" * 5), groups=groups))
    assert found.interval[1] < by_group.mistake_distance.interval[1] <= by_group.height
