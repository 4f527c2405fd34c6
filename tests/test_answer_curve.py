"""How often answers are right, by a curve: planted ones are found, and only how sure an answer is changes."""

from dataclasses import asdict

import numpy as np
import pytest

from sightline.decision import Decision, open_decision
from sightline.decision.answer_curve import FEWEST, NUM_NEEDED, STRAIGHT, applied, fitted
from sightline.errors import ConfigError


def softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def test_a_straight_curve_changes_nothing() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (50, 7))
    assert applied(logits, STRAIGHT) == pytest.approx(softmax(logits), abs=1e-9)


def test_an_answer_gets_the_probability_of_the_curve_and_the_order_stays() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (200, 5))
    found, top = applied(logits, (0.5, 1.5, 0.3)), softmax(logits).max(axis=1)
    curve = 1 / (1 + np.exp(-(0.5 * np.log(top) - 1.5 * np.log1p(-top) + 0.3)))
    can_be = curve > 1 / 5
    assert found.max(axis=1)[can_be] == pytest.approx(curve[can_be], abs=1e-6)
    assert found.max(axis=1)[~can_be] == pytest.approx(1 / 5, abs=1e-2)
    assert np.array_equal(found.argsort(axis=1), logits.argsort(axis=1))
    assert found.sum(axis=1) == pytest.approx(1)


def test_a_planted_curve_is_found() -> None:
    rng = np.random.default_rng(0)
    top = rng.uniform(0.3, 0.999, 40_000)
    true = 1 / (1 + np.exp(-(1.5 * np.log(top) - 0.7 * np.log1p(-top) + 0.2)))
    found = fitted(top, rng.random(40_000) < true)
    a, b, c = found
    again = 1 / (1 + np.exp(-(a * np.log(top) - b * np.log1p(-top) + c)))
    assert abs(again - true).max() < 0.02


def test_few_pictures_or_hardly_any_mistakes_leave_it_straight() -> None:
    rng = np.random.default_rng(0)
    top = rng.uniform(0.5, 1, NUM_NEEDED)
    assert fitted(top[1:], rng.random(NUM_NEEDED - 1) < 0.5) == STRAIGHT
    place = top.argsort().argsort()
    assert fitted(top, place >= FEWEST - 1) == STRAIGHT
    assert fitted(top, place >= FEWEST) != STRAIGHT
    falling = fitted(np.repeat([0.5, 0.9], 5000), np.arange(10_000) % 10_000 < 5000)  # the surer the worse
    assert falling == STRAIGHT


def test_right_as_often_as_said() -> None:
    """Answers whose doubts no temperature mends: right more often than they say below 80 %, less often above."""
    rng = np.random.default_rng(1)
    logits = (rng.normal(0, 1, (20_000, 4)) * rng.uniform(0.5, 6, (20_000, 1))).astype(np.float32)
    top = softmax(logits.astype(np.float64)).max(axis=1)
    is_right = rng.random(20_000) < 0.55 + 0.3 * top
    labels = np.where(is_right, logits.argmax(axis=1), logits.argmin(axis=1))
    decision = Decision.fitted(logits[:10_000], labels[:10_000])
    assert decision.curve and decision.temperature != 1

    def off(one: Decision) -> float:
        """Mean distance in ten bins of as many answers."""
        said = one.outputs(logits[10_000:]).max(axis=1)
        bins = np.array_split(np.argsort(said), 10)
        return float(np.mean([abs(said[part].mean() - is_right[10_000:][part].mean()) for part in bins]))

    assert off(decision) < 0.5 * off(Decision(decision.temperature))
    plain = Decision(decision.temperature).outputs(logits)
    assert np.array_equal(decision.decided(decision.outputs(logits)), Decision().decided(plain))


def test_it_is_stored_and_opened() -> None:
    decision = Decision(0.5, (0.5, 1.5, 0.3))
    assert open_decision("single", asdict(decision), 4, "it") == decision
    with pytest.raises(ConfigError, match=r"it: curve = \[1\.0, -1\.0, 0\.0\]; three numbers"):
        open_decision("single", {"curve": [1.0, -1.0, 0.0]}, 4, "it")
    with pytest.raises(ConfigError, match="three numbers"):
        open_decision("single", {"curve": [1.0, 1.0]}, 4, "it")
