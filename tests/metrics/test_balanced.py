"""Figures in which classes count the same, or chance nothing: against scikit-learn, and over groups."""

import time
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score, f1_score

from sightline.metrics import Sample, balanced_accuracy, f1_macro, kappa


def sample(num: int, num_classes: int = 3, groups: int = 0) -> Sample:
    """Classes of very different sizes, two thirds of them right."""
    generator = np.random.default_rng(0)
    sizes = np.arange(1, num_classes + 1) ** 2.0
    labels = generator.choice(num_classes, num, p=sizes / sizes.sum())
    decided = np.where(generator.random(num) < 2 / 3, labels, generator.integers(0, num_classes, num))
    return Sample(np.zeros((num, num_classes)), labels, decided, np.arange(num) // groups if groups else None)


def test_they_are_scikit_learns() -> None:
    one = sample(500)
    assert balanced_accuracy.measure(one).value == pytest.approx(balanced_accuracy_score(one.labels, one.decided))
    assert f1_macro.measure(one).value == pytest.approx(f1_score(one.labels, one.decided, average="macro"))
    assert kappa.measure(one).value == pytest.approx(cohen_kappa_score(one.labels, one.decided))


@pytest.mark.parametrize("metric", [balanced_accuracy, f1_macro, kappa])
def test_an_interval_holds_its_figure_and_groups_widen_it(metric: object) -> None:
    alone = metric.measure(sample(2_000))  # type: ignore[attr-defined]
    small = sample(200)
    together = replace(
        small, **{n: np.repeat(getattr(small, n), 10, axis=0) for n in ("outputs", "labels", "decided")},
        groups=np.repeat(np.arange(200), 10),
    )  # fmt: skip
    widened = metric.measure(together)  # type: ignore[attr-defined]
    for found in (alone, widened):
        assert found.interval[0] < found.value < found.interval[1]
    assert np.ptp(widened.interval) > 2 * np.ptp(alone.interval)


def test_a_class_that_was_not_tested_does_not_count() -> None:
    one = sample(300)
    wider = replace(one, outputs=np.zeros((300, 5)))
    assert balanced_accuracy.measure(wider) == balanced_accuracy.measure(one)


def test_kappa_of_a_single_class_is_undefined() -> None:
    zeros = np.zeros(20, np.int64)
    assert kappa.measure(Sample(np.zeros((20, 2)), zeros, zeros)).value is None


def test_a_thousand_classes_take_little_memory_and_time() -> None:
    begin = time.process_time()
    assert balanced_accuracy.measure(sample(50_000, 1_000)).interval is not None
    assert time.process_time() - begin < 20  # 2 s on one core
