"""Coordinates against values computed by hand."""

import math

import numpy as np
import pytest

from sightline.report import Epoch, chart

from .conftest import MakeFacts


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 2, [0, 0.5, 1, 1.5, 2]),
        (0, 2.1, [0, 0.5, 1, 1.5, 2, 2.5]),
        (0.81, 0.93, [0.8, 0.825, 0.85, 0.875, 0.9, 0.925, 0.95]),
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-3, 4000, [-1000, 0, 1000, 2000, 3000, 4000]),
    ],
)
def test_ticks_are_round_and_enclose(low: float, high: float, expected: list[float]) -> None:
    assert chart.ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (1, 3, [1, 2, 3]),
        (1, 12, [2, 4, 6, 8, 10, 12]),
        (5, 5, [5]),
        (0, 300, [0, 50, 100, 150, 200, 250, 300]),
    ],
)
def test_epoch_ticks_are_whole(first: int, last: int, expected: list[int]) -> None:
    assert chart.epoch_ticks(first, last) == expected


def test_points_stand_where_their_values_say(make_facts: MakeFacts) -> None:
    loss, accuracy = chart.curves(make_facts().history)
    training, validation = loss.lines
    # x: 48 + (epoch - 1) / 2 * (460 - 48 - 84); y: 14 + (2 - loss) / 2 * (270 - 14 - 44), axis 0 to 2
    assert training.points == ((48, 14), (212, 120), (376, 173.0))
    assert validation.points == ((48, 67), (376, 120))  # the second epoch was not validated
    assert training.path == "48,14 212,120 376,173"
    assert accuracy.lines[0].points == ((48, 226), (376, 14))  # axis 50 to 75 %
    assert [tick.label for tick in loss.y_ticks] == ["0", "0.5", "1", "1.5", "2"]
    assert "training from 2 to 0.5, validation from 1.5 to 1" in loss.summary


def test_names_of_close_lines_do_not_touch() -> None:
    assert chart.spread([100, 104], 17) == [93.5, 110.5]
    assert chart.spread([110, 60], 17) == [110, 60]


def test_losses_that_are_no_numbers_are_left_out() -> None:
    history = [Epoch(i, i, loss, None, None, 0.1, 1) for i, loss in enumerate([1.0, math.nan, math.inf, 0.5])]
    (loss,) = chart.curves(history)
    assert [x for x, _ in loss.lines[0].points] == [48, 376]
    assert chart.curves(history[1:3]) == []


def test_no_history_no_charts() -> None:
    assert chart.curves(()) == []


def test_a_lone_epoch_is_no_curve() -> None:
    assert chart.curves([Epoch(4, 1, 0.5, None, None, 0.1, 1)]) == []


def test_heat_map_shades_shares_of_rows() -> None:
    drawn = chart.heat_map(np.array([[9, 1], [0, 4]]))
    assert (drawn.side, drawn.per_square) == (2, 1)
    assert drawn.hits == ("", "", "", "", "M0 0h1v1h-1zM1 1h1v1h-1z")
    assert drawn.misses == ("M1 0h1v1h-1z", "", "", "", "")


def test_heat_map_of_many_classes_is_merged() -> None:
    confusion = np.eye(403, dtype=np.int64)
    confusion[0, 402] = 2  # in a square of three classes: 2 of its 5 pictures
    drawn = chart.heat_map(confusion)
    assert (drawn.side, drawn.per_square) == (135, 3)
    assert drawn.misses[1] == "M134 0h1v1h-1z"
    assert sum(path.count("M") for path in drawn.hits) == 135
