"""How far probabilities can be believed: by hand, against other computations, and over many simulated tests."""

import numpy as np
import pytest
from scipy.stats import t
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sk_log_loss

from sightline.metrics import Sample, brier, ece, label_ece, log_loss, reliability
from sightline.metrics._interval import of_mean


def sample(given: np.ndarray, right: np.ndarray) -> Sample:
    """Of two classes; the first is always answered, with these probabilities from one half on."""
    return Sample(np.stack([given, 1 - given], axis=1), np.where(right, 0, 1), np.zeros(len(given), np.int64))


def simulated(seed: int, num: int, too_sure_by: float = 0.0) -> Sample:
    generator = np.random.default_rng(seed)
    truth = generator.uniform(0.55, 0.9, num)
    return sample(truth + too_sure_by, generator.random(num) < truth)


def test_bins_by_hand() -> None:
    given = np.repeat([0.6, 0.8], 10)
    right = np.array([1] * 5 + [0] * 5 + [1] * 9 + [0])
    first, second = reliability.measure(sample(given, right == 1))
    assert (first.count, first.probability, first.share_right) == (10, pytest.approx(0.6), 0.5)
    assert (second.count, second.probability, second.share_right) == (10, pytest.approx(0.8), 0.9)
    assert first.interval[0] < 0.5 < first.interval[1]


def test_the_error_by_hand() -> None:
    """Two bins, 0.1 and 0.3 off, less the chance of 1,000 answers, which where they are that far off is nothing."""
    given, right = np.repeat([0.6, 0.8], 1_000), np.arange(2_000) % 10 < 5
    assert ece.value(sample(given, right)) == pytest.approx(0.2, abs=1e-6)
    # Off by one standard deviation of chance; E|N(1, 1)| = 1.16663.
    given, right = np.full(10_000, 0.8), np.arange(10_000) < 8_040
    assert ece.value(sample(given, right)) == pytest.approx(0.004 * (1 - 0.16663 / (np.sqrt(2) - 1)), rel=1e-4)


def test_answers_of_one_probability_stay_together() -> None:
    (only,) = reliability.measure(sample(np.full(500, 0.7), np.arange(500) % 10 < 7))
    assert (only.count, only.share_right) == (500, 0.7)


def test_bins_hold_equally_many() -> None:
    counts = [one.count for one in reliability.measure(simulated(0, 1_500))]
    assert len(counts) == 15 and max(counts) - min(counts) <= 1


@pytest.mark.parametrize("num", [200, 1_000, 10_000])
def test_a_calibrated_network_has_almost_no_error_whatever_the_test(num: int) -> None:
    """The plain error of 200 pictures, without what chance adds, would be about 9 points."""
    errors = [ece.value(simulated(seed, num)) for seed in range(50)]
    assert np.mean(errors) < 0.2 * np.sqrt(0.2 / (num / min(15, num // 10)))  # chance itself: 0.8 of it


@pytest.mark.parametrize(("num", "within"), [(2_000, 0.01), (20_000, 0.001)])
def test_too_sure_by_seven_points(num: int, within: float) -> None:
    errors = [ece.value(simulated(seed, num, 0.07)) for seed in range(20)]
    assert np.mean(errors) == pytest.approx(0.07, abs=within)


def test_the_interval_of_the_error_holds_the_true_one() -> None:
    inside = 0
    for seed in range(60):
        low, high = ece.measure(simulated(seed, 1_500, 0.07)).interval or (1.0, 0.0)
        inside += low <= 0.07 <= high
    assert inside >= 52  # 95 % of 60 is 57; of 51 and fewer the chance is below 1 in 1,000


def test_answers_that_are_all_right_may_be_surer_than_they_say_or_less_sure() -> None:
    found = ece.measure(sample(np.full(100, 0.99), np.ones(100, bool)))
    assert found.interval is not None
    assert found.interval[1] == pytest.approx(0.99 - 1 / (1 + 1.959964**2 / 100))


def test_the_interval_of_a_calibrated_network_reaches_zero() -> None:
    """A draw has the chance of the sample and its own; were it taken off once, a third of them would not."""
    above = [(ece.measure(simulated(seed, 1_000)).interval or (1.0, 1.0))[0] > 0 for seed in range(60)]
    assert sum(above) <= 7  # of 60 at 5 %, 3; of 8 and more the chance is below 1 in 50


def test_brier_is_scikit_learns() -> None:
    drawn = simulated(3, 400)
    expected = brier_score_loss(drawn.labels == 0, drawn.outputs[:, 0], scale_by_half=False)
    assert brier.measure(drawn).value == pytest.approx(expected)


def test_the_interval_of_a_mean_is_wider_where_pictures_belong_together() -> None:
    values = np.repeat(np.random.default_rng(0).normal(size=100), 4)
    groups = np.repeat(np.arange(100), 4)
    alone, together, single = (of_mean(values, of) for of in (None, groups, None))
    assert alone == single
    assert together is not None and alone is not None
    assert (together[1] - together[0]) == pytest.approx(2 * (alone[1] - alone[0]), rel=0.02)
    half = t.ppf(0.975, 99) * values[::4].std(ddof=1) / 10
    assert together == (pytest.approx(values.mean() - half, abs=1e-4), pytest.approx(values.mean() + half, abs=1e-4))


def test_a_single_picture_has_no_interval() -> None:
    assert of_mean(np.array([0.3]), None) is None
    assert of_mean(np.array([0.3, 0.4]), np.array([7, 7])) is None


def of_labels(seed: int, num: int, too_sure_by: float = 0.0) -> Sample:
    """Of three classes, of which a picture may carry several, the first one rare."""
    generator = np.random.default_rng(seed)
    truth = generator.beta([[1, 2, 3]], [[15, 4, 3]], (num, 3)) * 0.9
    labels = (generator.random((num, 3)) < truth).astype(np.uint8)
    outputs = truth + too_sure_by
    return Sample(outputs, labels, (outputs > 0.5).astype(np.uint8))


def test_several_labels_by_hand() -> None:
    outputs, labels = np.array([[0.8, 0.1], [0.6, 0.2]]), np.array([[1, 0], [0, 0]], np.uint8)
    drawn = Sample(outputs, labels, labels)
    assert brier.measure(drawn).value == pytest.approx((0.2**2 + 0.1**2 + 0.6**2 + 0.2**2) / 4)
    assert log_loss.measure(drawn) == pytest.approx(-np.log([0.8, 0.9, 0.4, 0.8]).mean())
    reference = np.mean(
        [sk_log_loss(of_labels(0, 200).labels[:, k], of_labels(0, 200).outputs[:, k]) for k in range(3)]
    )
    assert log_loss.measure(of_labels(0, 200)) == pytest.approx(reference)


def test_calibrated_labels_have_almost_no_error_and_others_theirs() -> None:
    errors = [ece.value(of_labels(seed, 400)) for seed in range(40)]
    assert np.mean(errors) < 0.008  # in bins of 26, chance alone is 0.05
    errors = [ece.value(of_labels(seed, 4_000, 0.07)) for seed in range(20)]
    assert np.mean(errors) == pytest.approx(0.07, abs=0.005)
    each = label_ece.measure(of_labels(0, 20_000, 0.07))
    assert each == pytest.approx([0.07] * 3, abs=0.01)


def test_the_interval_of_the_error_of_labels_holds_the_true_one() -> None:
    inside = 0
    for seed in range(40):
        low, high = ece.measure(of_labels(seed, 1_000, 0.07)).interval or (1.0, 0.0)
        inside += low <= 0.07 <= high
    assert inside >= 34  # 95 % of 40 is 38; of 33 and fewer the chance is below 1 in 1,000


def test_bins_of_labels_are_tenths_and_none_holds_few() -> None:
    found = reliability.measure(of_labels(0, 2_000))
    assert sum(one.count for one in found) == 6_000 and min(one.count for one in found) >= 10
    assert all(abs(one.share_right - one.probability) < 0.12 for one in found) and found[0].probability < 0.1
    given = np.repeat([0.05, 0.35, 0.45, 0.95], (30, 4, 8, 3))[:, None]
    few = reliability.measure(Sample(given, (given > 0.4).astype(np.uint8), given > 0.5))
    assert [one.count for one in few] == [30, 15]  # 4 and 8 together, and the last 3 with them
    assert few[1].share_right == 11 / 15
    (only,) = reliability.measure(Sample(given[:3], np.ones((3, 1), np.uint8), given[:3] > 0.5))
    assert only.count == 3
