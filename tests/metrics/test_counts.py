"""Figures of the confusion matrix: scikit-learn's values, slopes by taking them; no mistake is no certainty."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, top_k_accuracy_score

from sightline.metrics import METRICS, Sample, _from_counts
from sightline.metrics._from_counts import Counts, Matrix
from sightline.metrics._interval import wilson

from .test_areas import sample

SLOPES = ("recalls", "precisions", "f1s", "weighted_f1s", "weighted_precisions", "kappas")
NAMES = ("balanced_accuracy", "precision_macro", "precision_weighted", "f1_macro", "f1_weighted", "kappa")


def test_they_are_scikit_learns() -> None:
    one = sample(500, 6)
    for name, theirs in (("f1_weighted", f1_score), ("precision_weighted", precision_score)):
        expected = theirs(one.labels, one.decided, average="weighted")
        assert METRICS.get(name).measure(one).value == pytest.approx(expected, abs=1e-12)
    expected = precision_score(one.labels, one.decided, average="macro")
    assert METRICS.get("precision_macro").measure(one).value == pytest.approx(expected, abs=1e-12)


def test_a_class_that_is_never_answered_has_no_precision() -> None:
    labels, decided = np.array([0, 0, 1, 2, 2, 2]), np.array([0, 2, 0, 2, 2, 2])
    one = Sample(np.zeros((6, 4)), labels, decided)
    for average in ("macro", "weighted"):
        expected = precision_score(labels, decided, average=average, zero_division=0)
        assert METRICS.get(f"precision_{average}").measure(one).value == pytest.approx(expected)


@pytest.mark.parametrize("name", SLOPES)
def test_slopes_are_those_of_the_figure(name: str) -> None:
    matrix = np.random.default_rng(0).integers(1, 30, (4, 4)).astype(float)
    slope: Callable[[Counts], tuple[float, Matrix]] = getattr(_from_counts, name)
    value, moves = slope(Counts(matrix))
    for cell in np.ndindex(4, 4):
        more = matrix.copy()
        more[cell] += 1e-5
        assert (slope(Counts(more))[0] - value) / 1e-5 == pytest.approx(moves[cell], abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_no_mistake_is_no_certainty(name: str) -> None:
    labels = np.arange(100) % 2
    found = METRICS.get(name).measure(Sample(np.zeros((100, 2)), labels, labels))
    assert found.value == found.interval[1] == 1
    assert 0.85 < found.interval[0] < 0.98
    few = np.array([0] * 95 + [1] * 5)
    of_few = METRICS.get("balanced_accuracy").measure(Sample(np.zeros((100, 2)), few, few))
    assert of_few.interval[0] < 0.8  # five of five say little


@pytest.mark.parametrize("name", [name for name in NAMES if name != "kappa"])
def test_all_right_on_one_class_is_as_sure_as_its_pictures(name: str) -> None:
    zeros = np.zeros(100, np.int64)
    found = METRICS.get(name).measure(Sample(np.zeros((100, 3)), zeros, zeros))
    assert found.interval == pytest.approx(wilson(100, 100))


def test_of_two_classes_a_mistake_lowers_the_f1_of_both() -> None:
    """So their mean reaches down as far as each, where independent ones would reach less far."""
    share = wilson(50, 50)[0]
    below, above = _from_counts.f1s_apart(Counts(np.diag([50.0, 50.0])), 1.0)
    assert below == pytest.approx(1 - 2 * share / (1 + share)) and above == 0


@pytest.mark.parametrize("name", NAMES)
def test_groups_widen_it_by_as_many_as_are_alike(name: str) -> None:
    one = sample(300, 4)
    four = {key: np.repeat(getattr(one, key), 4, axis=0) for key in ("outputs", "labels", "decided")}
    alone, together = (
        METRICS.get(name).measure(Sample(**four, groups=g)) for g in (None, np.repeat(np.arange(300), 4))
    )
    assert np.ptp(together.interval) / np.ptp(alone.interval) == pytest.approx(2, rel=0.15)


def test_top_k_is_scikit_learns_and_needs_twice_as_many_classes() -> None:
    generator = np.random.default_rng(0)
    outputs, labels = generator.random((400, 12)), generator.integers(0, 12, 400)
    found = METRICS.get("top_k").measure(Sample(outputs, labels, outputs.argmax(axis=1)))
    assert [one.k for one in found] == [2, 3, 5]
    for one in found:
        assert one.share.value == pytest.approx(top_k_accuracy_score(labels, outputs, k=one.k))
    assert METRICS.get("top_k").measure(sample(50, 3)) is None


def test_a_thousand_classes_take_little_time() -> None:
    one = sample(50_000, 1_000)
    begin = time.process_time()
    for name in NAMES:
        assert METRICS.get(name).measure(one).interval is not None
    assert time.process_time() - begin < 20  # 3 s on one core
