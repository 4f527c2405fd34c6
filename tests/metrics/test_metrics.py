"""Each metric against numbers worked out by hand."""

import numpy as np
import pytest

from sightline.metrics import METRICS, Sample, names_of
from sightline.metrics._interval import wilson

#            class 0 answered      1          1          2
PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
LABELS = np.array([0, 0, 1, 2])


def sample(probabilities: np.ndarray, labels: np.ndarray) -> Sample:
    return Sample(probabilities, labels, probabilities.argmax(axis=1))


SINGLE = sample(PROBABILITIES, LABELS)


@pytest.mark.parametrize("name", names_of("single"))
def test_every_metric_measures_and_is_documented(name: str) -> None:
    module = METRICS.get(name)
    assert module.__doc__
    module.measure(SINGLE)


def test_wilson_matches_the_published_example() -> None:
    # Newcombe (1998), table I: 81 of 263 has the score interval 0.2553 to 0.3662.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20)[0] == 0.0
    assert wilson(20, 20)[1] == 1.0
    assert wilson(0, 0) == (0.0, 1.0)
    for total in range(1, 300):
        assert wilson(0, total)[0] == 0.0 and wilson(total, total)[1] == 1.0  # the rate itself lies inside


def test_accuracy() -> None:
    measured = METRICS.get("accuracy").measure(SINGLE)
    assert measured.value == 0.75
    assert measured.interval == wilson(3, 4)


def test_log_loss_is_the_mean_negative_logarithm() -> None:
    expected = -(np.log(0.7) + np.log(0.3) + np.log(0.8) + np.log(0.6)) / 4
    assert METRICS.get("log_loss").measure(SINGLE) == pytest.approx(expected)


def test_confusion_has_truth_in_rows() -> None:
    table = METRICS.get("confusion").measure(SINGLE)
    assert table.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]


def test_per_class() -> None:
    zero, one, two = METRICS.get("per_class").measure(SINGLE)
    assert (zero.precision, zero.recall, zero.f1, zero.count) == (1.0, 0.5, pytest.approx(2 / 3), 2)
    assert (one.precision, one.recall, one.f1) == (0.5, 1.0, pytest.approx(2 / 3))
    assert (two.precision, two.recall, two.f1) == (1.0, 1.0, 1.0)


def test_per_class_of_a_class_that_is_never_seen_or_answered_is_undefined() -> None:
    never = METRICS.get("per_class").measure(sample(np.array([[0.6, 0.4, 0.0]]), np.array([0])))[2]
    assert (never.count, never.precision, never.recall, never.recall_interval, never.f1) == (0, None, None, None, None)


def test_top5_needs_ten_classes() -> None:
    assert METRICS.get("top5").measure(SINGLE) is None
    ramp = np.linspace(0.01, 0.19, 10)[None]  # the five best are 5 to 9
    assert METRICS.get("top5").measure(sample(np.repeat(ramp, 2, axis=0), np.array([5, 4]))) == 0.5
