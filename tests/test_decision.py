"""Logits to answers: thresholds against every possible one, numbers in their units, what a run stores."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from sightline.decision import Decision, MultiDecision, NumberDecision, open_decision, platt, temperature
from sightline.decision.logistic import sigmoid
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


def of_labels(num: int, seed: int, inverse: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits (num, K) that sigmoid(inverse * z + bias) makes right, and labels."""
    generator = np.random.default_rng(seed)
    right = generator.normal(-1, 2, (num, len(inverse)))
    return ((right - bias) / inverse).astype(np.float32), (generator.random(right.shape) < sigmoid(right)).astype(
        np.uint8
    )


def test_each_class_gets_its_temperature_and_its_bias_back() -> None:
    inverse, bias = np.array([0.3, 1.0, 2.5]), np.array([-3.0, 0.0, 1.0])
    temperatures, biases = platt.fitted(*of_labels(20_000, 0, inverse, bias))
    assert 1 / temperatures == pytest.approx(inverse, rel=0.06) and biases == pytest.approx(bias, abs=0.12)


def test_one_class_is_scaled_as_scikit_learn_does_but_for_what_is_expected_of_it() -> None:
    logits, labels = of_labels(3_000, 1, np.array([0.5]), np.array([1.0]))
    (temperature,), (bias,) = platt.fitted(logits, labels)
    reference = LogisticRegression(C=np.inf).fit(logits, labels[:, 0])
    assert 1 / temperature == pytest.approx(reference.coef_[0, 0], rel=0.01)
    assert bias == pytest.approx(reference.intercept_[0], abs=0.01)


def test_no_shared_temperature_has_a_lesser_log_loss() -> None:
    logits, labels = of_labels(60, 2, np.full(4, 0.4), np.zeros(4))
    rare = np.where(labels.cumsum(axis=0) <= platt.MIN_POSITIVES - 1, labels, 0).astype(np.uint8)
    temperatures, biases = platt.fitted(logits, rare)
    assert len(set(temperatures)) == 1 and not biases.any()

    def loss(temperature: float) -> float:
        truth = rare * (1 - 1 / 62) + 1 / 124
        z = logits.astype(np.float64) / temperature
        return float((np.logaddexp(0, z) - truth * z).mean())

    assert loss(temperatures[0]) < min(loss(temperatures[0] * factor) for factor in (0.5, 0.97, 1.03, 2.0))


def test_a_class_that_few_carry_or_lack_has_what_all_have() -> None:
    logits, labels = of_labels(400, 3, np.ones(4), np.zeros(4))
    labels[:, 1], labels[:, 2] = 0, 1
    labels[:4, 1], labels[:4, 2] = 1, 0
    assert platt.has_own(labels).tolist() == [True, False, False, True]
    temperatures, biases = platt.fitted(logits, labels)
    assert temperatures[1] == temperatures[2] != temperatures[0] and biases[1] == biases[2] == 0 != biases[0]


@pytest.mark.parametrize("sign", [1, -1])
def test_answers_that_are_all_right_or_all_wrong_stay_finite_and_in_their_order(sign: int) -> None:
    logits = sign * np.repeat([[-3.0], [3.0]], 30, axis=0) + np.linspace(0, 0.1, 60)[:, None]
    decision = MultiDecision.fitted(logits.astype(np.float32), np.repeat([[0], [1]], 30, axis=0).astype(np.uint8))
    outputs = decision.outputs(logits.astype(np.float32))
    assert 0.0005 < outputs.min() < outputs.max() < 0.9995 and decision.temperatures[0] > 0
    assert (np.argsort(outputs[:, 0]) == np.argsort(logits[:, 0])).all()
    if sign > 0:
        assert outputs[30:].mean() == pytest.approx(1 - 1 / 124, abs=0.005)  # as Laplace's rule has it


def test_few_pictures_calibrate_nothing_and_a_run_of_before_answers_as_it_did() -> None:
    logits, labels = of_labels(temperature.NUM_NEEDED, 4, np.full(2, 0.5), np.zeros(2))
    assert MultiDecision.fitted(logits, labels).temperatures
    few = MultiDecision.fitted(logits[1:], labels[1:])
    assert (few.temperatures, few.biases) == ((), ())
    assert (few.outputs(logits) == sigmoid(logits.astype(np.float64))).all()
    with pytest.raises(ValueError, match="no finite numbers"):
        platt.fitted(np.full((30, 2), np.nan, np.float32), np.zeros((30, 2), np.uint8))


def test_calibrated_answers_to_new_pictures_lose_less() -> None:
    inverse, bias = np.array([0.4, 0.3, 2.0]), np.array([-2.0, 0.5, 0.0])
    decision = MultiDecision.fitted(*of_labels(200, 5, inverse, bias))
    logits, labels = of_labels(20_000, 6, inverse, bias)

    def loss(one: MultiDecision) -> float:
        p = one.outputs(logits)
        return float(-np.log(np.where(labels > 0, p, 1 - p)).mean())

    right = float(np.mean(np.logaddexp(0, z := logits * inverse + bias) - labels * z))
    assert right < loss(decision) < right + 0.02 < loss(MultiDecision())


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
    calibrated = {"thresholds": [0.1, 0.9], "temperatures": [2, 0.5], "biases": [-1, 0]}
    assert open_decision("multi", calibrated, 2, "c") == MultiDecision((0.1, 0.9), (2.0, 0.5), (-1.0, 0.0))
    assert open_decision("number", {"mean": [1.5], "std": [2]}, 1, "c") == NumberDecision((1.5,), (2.0,))


@pytest.mark.parametrize(
    ("task", "values", "message"),
    [
        ("multi", {"thresholds": [0.5]}, r"thresholds = \[0.5\]; there must be 2"),
        ("multi", {}, r"thresholds = \[\]"),
        ("number", {"mean": [0, 0], "std": [1.0, float("nan")]}, "std"),
        ("multi", {"threshold": [0.5, 0.5]}, "unknown setting 'threshold'"),
        ("multi", {"thresholds": [0.5, 0.5], "temperatures": [1, 0], "biases": [0, 0]}, "must be more than 0"),
        ("multi", {"thresholds": [0.5, 0.5], "temperatures": [1, 1]}, r"biases = \[\]; there must be 2"),
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
