"""Thresholds of two classes, and what is found by them; the ROC curve."""

import numpy as np
import pytest
from sklearn.metrics import auc, roc_curve

from sightline.metrics import METRICS, Asked, Sample
from sightline.metrics._interval import Z95, rate
from sightline.metrics.operating_point import OperatingPoint, _others_at, threshold_at


def drawn(num: int, seed: int = 0, asked: Asked | None = None, decimals: int = 2) -> Sample:
    generator = np.random.default_rng(seed)
    labels = (generator.random(num) < 0.4).astype(np.int64)
    scores = np.round(1 / (1 + np.exp(-generator.normal(3 * labels - 1.5, 1.5))), decimals)
    return Sample(np.stack([1 - scores, scores], 1), labels, (scores > 0.5).astype(np.int64), None, asked or Asked())


def measured(sample: Sample) -> OperatingPoint:
    found = METRICS.get("operating_point").measure(sample)
    assert isinstance(found, OperatingPoint)
    return found


SCORES = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.5, 0.7, 0.8, 0.9])
IS_POSITIVE = np.array([False] * 5 + [True] * 4)


@pytest.mark.parametrize(
    ("fixed", "at", "threshold"),
    [
        ("specificity", 0.8, 0.45),  # four of five below: between 0.4 and the next score, 0.5
        ("specificity", 0.81, 0.65),
        ("sensitivity", 0.75, 0.65),  # three of four at or above
        ("sensitivity", 0.99, 0.45),
    ],
)
def test_thresholds_by_hand(fixed: str, at: float, threshold: float) -> None:
    found = threshold_at(SCORES, IS_POSITIVE, fixed, at)
    assert found == (pytest.approx(threshold), 5 if fixed == "specificity" else 4)


def test_nothing_is_named_where_none_may_be_named_by_mistake_and_one_has_the_highest_score() -> None:
    found = threshold_at(np.array([0.2, 1.0, 0.9]), np.array([False, False, True]), "specificity", 0.9)
    assert found is not None and found[0] > 1


@pytest.mark.parametrize("fixed", ["specificity", "sensitivity"])
def test_on_the_curve_it_is_scikit_learns(fixed: str) -> None:
    sample = drawn(500, asked=Asked(fixed=fixed, at=0.9))
    false_alarms, found, _ = roc_curve(sample.labels, sample.outputs[:, 1], drop_intermediate=False)
    point = measured(sample).on_curve
    if fixed == "specificity":
        assert point.sensitivity.value == pytest.approx(found[1 - false_alarms >= 0.9].max())
        other = point.sensitivity
    else:
        assert point.specificity.value == pytest.approx(1 - false_alarms[found >= 0.9].min())
        other = point.specificity
    assert other.interval[0] < other.value < other.interval[1]


@pytest.mark.parametrize("fixed", ["specificity", "sensitivity"])
def test_the_draws_find_what_the_curve_does(fixed: str) -> None:
    """Of every picture once: the point of the curve, two pictures of each kind added."""
    sample = drawn(500, asked=Asked(fixed=fixed, at=0.9))
    point, positive = measured(sample).on_curve, sample.labels == 1
    scores, of = (sample.outputs[:, 1], ~positive) if fixed == "specificity" else (-sample.outputs[:, 1], positive)
    share = point.sensitivity.value if fixed == "specificity" else point.specificity.value
    expected = (share * (~of).sum() + Z95**2 / 2) / ((~of).sum() + Z95**2)
    assert _others_at(scores, of, ~of, 0.9)(np.ones((1, 500)))[0, 0] == pytest.approx(expected)


def test_what_was_chosen_beforehand_is_measured_as_any_rule_is() -> None:
    known = drawn(200, seed=1)
    sample = drawn(400, asked=Asked(calibration=(known.labels, known.outputs[:, 1])))
    point = measured(sample).transferred
    named = sample.outputs[:, 1] >= point.threshold
    assert point.sensitivity == rate(named[sample.labels == 1], None)
    assert point.specificity == rate(~named[sample.labels == 0], None)
    assert point.num == (known.labels == 0).sum()


def test_a_threshold_keeps_its_rate_on_new_pictures_on_average() -> None:
    """By the place among one picture more, whatever the scores are: at least 90 %, and hardly more."""
    generator, kept = np.random.default_rng(0), []
    for _ in range(2_000):
        scores = generator.normal(size=60)
        threshold, _ = threshold_at(scores, np.arange(60) >= 30, "specificity", 0.9, one_more=True)
        kept.append((generator.normal(size=50) < threshold).mean())
    assert 0.895 < np.mean(kept) < 0.93


def test_too_few_calibration_pictures_choose_nothing_and_how_many_would_is_said() -> None:
    for num, is_enough in ((18, False), (19, True)):
        known = np.zeros(num, np.int64), np.linspace(0, 1, num)
        found = measured(drawn(100, asked=Asked(calibration=known)))
        assert (found.transferred is not None) == is_enough and found.num_needed == 19
    assert measured(drawn(100)).transferred is None


def test_the_other_class_as_the_positive_one_exchanges_the_rates() -> None:
    first = measured(drawn(300, asked=Asked(("sick", "well"), positive=0)))
    assert first.positive == "sick"
    second = measured(drawn(300)).as_answered
    assert first.as_answered.sensitivity == second.specificity and first.as_answered.specificity == second.sensitivity


def test_a_class_that_was_not_tested() -> None:
    sample = drawn(50)
    alone = Sample(sample.outputs, np.zeros(50, np.int64), sample.decided)
    found = measured(alone)
    assert found.on_curve is None and found.as_answered.sensitivity.value is None
    assert METRICS.get("roc").measure(alone) is None


def test_three_classes_have_neither() -> None:
    three = Sample(np.full((4, 3), 1 / 3), np.arange(4) % 3, np.zeros(4, np.int64))
    assert METRICS.get("operating_point").measure(three) is METRICS.get("roc").measure(three) is None


def test_groups_widen_the_intervals() -> None:
    one = drawn(200)
    four = {name: np.repeat(getattr(one, name), 4, axis=0) for name in ("outputs", "labels", "decided")}
    alone, together = (measured(Sample(**four, groups=g)) for g in (None, np.repeat(np.arange(200), 4)))
    for name in ("on_curve", "as_answered"):
        a, b = (getattr(one, name).sensitivity.interval for one in (alone, together))
        assert np.ptp(b) > 1.4 * np.ptp(a)


@pytest.mark.parametrize("num", [40, 3_000])
def test_the_curve_has_the_area_of_scikit_learns(num: int) -> None:
    sample = drawn(num, decimals=8)
    curve = METRICS.get("roc").measure(sample)
    expected = auc(*roc_curve(sample.labels, sample.outputs[:, 1])[:2])
    assert auc(curve.false_positive_rate, curve.sensitivity) == pytest.approx(
        expected, abs=2e-3 if num > 100 else 1e-12
    )
    assert len(curve.threshold) <= 200 and curve.sensitivity[0] == 0 and curve.sensitivity[-1] == 1
    assert np.all(np.diff(curve.threshold) < 0) and np.all(np.diff(curve.sensitivity) >= 0)
