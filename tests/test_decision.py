"""Logits to answers: thresholds against every possible one, numbers in their units, what a run stores."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from sightline.decision import Decision, MultiDecision, NumberDecision, open_decision, temperature
from sightline.decision.multi import MIN_POSITIVES, ONE_HALF, best_threshold
from sightline.errors import ConfigError


def test_sigmoids_are_exact_and_overflow_nowhere() -> None:
    logits = np.array([[0.0, 2.0, -2.0, 800.0, -800.0]], np.float32)
    expected = [[0.5, 1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2)), 1.0, 0.0]]
    assert MultiDecision((0.5,) * 5).outputs(logits) == pytest.approx(np.array(expected), abs=1e-15)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 30))
def test_no_threshold_has_a_better_f1(seed: int, num_levels: int) -> None:
    generator = np.random.default_rng(seed)
    labels = (generator.random(120) < 0.3).astype(np.uint8)
    scores = np.clip(generator.normal(0.3 + 0.2 * labels, 0.2), 0, 1)
    scores = np.round(scores * num_levels) / num_levels  # many equal ones
    threshold = best_threshold(scores, labels)
    if labels.sum() < MIN_POSITIVES:
        assert threshold == ONE_HALF
        return
    chosen = f1_score(labels, scores >= threshold)
    # Answering yes to all, which no threshold between two probabilities does, is not considered.
    others = [f1_score(labels, scores >= t) for t in np.unique(scores)[1:]]
    assert chosen == pytest.approx(max(others))


@pytest.mark.parametrize(
    "labels", [[1] * (MIN_POSITIVES - 1) + [0] * 90, [0] * (MIN_POSITIVES - 1) + [1] * 90, [0] * 50, [1] * 50]
)
def test_too_few_pictures_leave_the_threshold_at_one_half(labels: list[int]) -> None:
    scores = np.random.default_rng(0).random(len(labels))
    assert best_threshold(scores, np.array(labels, np.uint8)) == ONE_HALF


def test_equal_probabilities_cannot_be_parted() -> None:
    assert best_threshold(np.full(100, 0.2), np.array([0, 1] * 50, np.uint8)) == ONE_HALF


def test_several_classes_are_answered_from_their_thresholds_on() -> None:
    decision = MultiDecision((0.2, 0.9))
    outputs = np.array([[0.2, 0.8], [0.1, 0.95], [0.0, 0.1]])
    assert decision.decided(outputs).tolist() == [[1, 0], [0, 1], [0, 0]]
    answer = decision.answer("a.png", outputs[0], ("cat", "dog"))
    assert answer.labels == ["cat"] and answer.probabilities == {"cat": 0.2, "dog": 0.8}
    assert answer.line() == "cat 20.0%  a.png" and answer.cells() == ("cat", "0.200000", "0.800000")
    nothing = decision.answer("b.png", outputs[2], ("cat", "dog"))
    assert nothing.line() == "(none)  b.png" and nothing.cells()[0] == ""
    assert decision.columns(("cat", "dog")) == ("labels", "p_cat", "p_dog")


def test_numbers_come_back_in_their_units() -> None:
    decision = NumberDecision((10.0, -1.0), (2.0, 0.5))
    outputs = decision.outputs(np.array([[0.0, 2.0], [1.5, -1.0]], np.float32))
    assert outputs.tolist() == [[10.0, 0.0], [13.0, -1.5]]
    answer = decision.answer("a.png", outputs[1], ("size", "tilt"))
    assert answer.values == {"size": 13.0, "tilt": -1.5}
    assert answer.line() == "size 13, tilt -1.5  a.png" and answer.cells() == ("13", "-1.5")


def test_a_decision_comes_back_as_it_was_stored() -> None:
    assert open_decision("single", {}, 3, "config.json") == Decision()
    assert open_decision("multi", {"thresholds": [0.1, 0.9]}, 2, "c") == MultiDecision((0.1, 0.9))
    assert open_decision("number", {"mean": [1.5], "std": [2]}, 1, "c") == NumberDecision((1.5,), (2.0,))


@pytest.mark.parametrize(
    ("task", "values", "message"),
    [
        ("multi", {"thresholds": [0.5]}, r"thresholds = \[0.5\]; there must be 2"),
        ("multi", {}, r"thresholds = \[\]"),
        ("number", {"mean": [0, 0], "std": [1.0, float("nan")]}, "std"),
        ("multi", {"threshold": [0.5, 0.5]}, "unknown setting 'threshold'"),
        ("boxes", {}, "task 'boxes' is not known"),
    ],
)
def test_a_stored_decision_that_does_not_fit_is_refused(task: str, values: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        open_decision(task, values, 2, "config.json: decision")


def log_loss(logits: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    probabilities = Decision(temperature).outputs(logits)
    return float(-np.log(probabilities[np.arange(len(labels)), labels]).mean())


def drawn(num: int, num_classes: int, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are `sharpness` times as large as those by which the labels were drawn."""
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 2, (num, num_classes))
    shares = Decision().outputs(logits.astype(np.float32)).cumsum(axis=1)
    labels = (generator.random((num, 1)) > shares).sum(axis=1).clip(max=num_classes - 1)
    return (sharpness * logits).astype(np.float32), labels


@pytest.mark.parametrize("sharpness", [0.2, 1.0, 4.0])
def test_the_temperature_undoes_what_logits_were_sharpened_by(sharpness: float) -> None:
    assert temperature.fitted(*drawn(20_000, 5, sharpness)) == pytest.approx(sharpness, rel=0.03)


def test_no_temperature_has_a_lesser_log_loss() -> None:
    logits, labels = drawn(2_000, 3, 2.5)
    best = temperature.fitted(logits, labels)
    others = [log_loss(logits, labels, best * factor) for factor in (0.5, 0.9, 0.97, 1.03, 1.1, 2.0)]
    assert log_loss(logits, labels, best) < min(others)


def test_answers_that_are_all_right_are_not_taken_for_certain() -> None:
    """Of 48, the next one is right in 49 of 50 cases, by Laplace's rule."""
    logits = np.tile(np.array([[3.0, 0.0]], np.float32), (48, 1))
    found = Decision(temperature.fitted(logits, np.zeros(48, np.int64))).outputs(logits)[0, 0]
    assert found == pytest.approx(0.99, abs=1e-6)  # a half of what is taken from the truth returns to it


def test_logits_that_say_nothing_have_a_temperature_all_the_same() -> None:
    assert temperature.fitted(np.zeros((30, 4), np.float32), np.zeros(30, np.int64)) == 1


def test_logits_that_are_no_numbers_have_none() -> None:
    with pytest.raises(ValueError, match="no finite numbers"):
        temperature.fitted(np.full((30, 4), np.nan, np.float32), np.zeros(30, np.int64))


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_a_stored_temperature_is_checked(value: float) -> None:
    with pytest.raises(ConfigError, match="must be more than 0"):
        open_decision("single", {"temperature": value}, 3, "here")
