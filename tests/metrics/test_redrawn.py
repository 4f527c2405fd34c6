"""The main figure on tests that might have been: the same draws for all, whole groups, the figures of the reports."""

import numpy as np
import pytest

from sightline.metrics import METRICS, Sample, redrawn


def answered(right: np.ndarray, groups: np.ndarray | None = None) -> Sample:
    labels = np.zeros(len(right), np.int64)
    return Sample(np.zeros((len(right), 2)), labels, np.where(right, 0, 1), groups)


def test_accuracy_varies_as_a_share_does_and_by_the_same_draws() -> None:
    generator = np.random.default_rng(7)
    first, second = generator.random(400) < 0.8, generator.random(400) < 0.7
    one, other = redrawn(answered(first), "single"), redrawn(answered(second), "single")
    assert one.figure.value == first.mean() and one.drawn.mean() == pytest.approx(first.mean(), abs=0.003)
    assert one.drawn.std() == pytest.approx(np.sqrt(first.var() / 400), rel=0.1)
    differences = redrawn(answered(first == second), "single").drawn
    assert (one.drawn - other.drawn).std() == pytest.approx(np.sqrt((first * 1.0 - second).var() / 400), rel=0.1)
    assert len(differences) == len(one.drawn)


def test_groups_are_drawn_whole() -> None:
    right, groups = np.repeat([True, False] * 20, 10), np.repeat(np.arange(40), 10)
    alone, together = redrawn(answered(right), "single"), redrawn(answered(right, groups), "single")
    assert together.drawn.std() == pytest.approx(alone.drawn.std() * np.sqrt(10), rel=0.15)
    assert together.figure.interval is not None and alone.figure.interval is not None
    assert np.diff(together.figure.interval) > 2 * np.diff(alone.figure.interval)


def test_several_labels_and_numbers_have_the_figures_of_their_metrics() -> None:
    generator = np.random.default_rng(1)
    labels = (generator.random((200, 3)) < 0.3).astype(np.uint8)
    several = Sample(np.clip(labels * 0.4 + generator.random((200, 3)) * 0.6, 0, 1), labels, labels)
    truth = generator.normal(size=(200, 2))
    numbers = Sample(truth + 0.5 * generator.normal(size=(200, 2)), truth, truth)
    for sample, task, name in ((several, "multi", "mean_average_precision"), (numbers, "number", "r2")):
        found, expected = redrawn(sample, task), METRICS.get(name).measure(sample)
        assert found.figure.value == pytest.approx(expected.value)
        assert found.figure.interval == pytest.approx(expected.interval)
        assert np.quantile(found.drawn, 0.5) == pytest.approx(expected.value, abs=0.02)


def test_what_says_nothing_is_undefined() -> None:
    sample = Sample(np.zeros((10, 1)), np.ones((10, 1), np.uint8), np.ones((10, 1), np.uint8))
    assert redrawn(sample, "multi").figure.value is None
    constant = Sample(np.zeros((10, 1)), np.full((10, 1), 3.0), np.zeros((10, 1)))
    assert redrawn(constant, "number").figure.value is None
