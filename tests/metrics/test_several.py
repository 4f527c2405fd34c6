"""Metrics of several labels and of numbers against scikit-learn and SciPy; intervals against theory."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as theirs

from sightline.metrics import METRICS, Figure, Sample, names_of, redrawn
from sightline.metrics._bootstrap import figure
from sightline.metrics._ranking import auroc, average_precision, ranks


def several(num: int = 300, seed: int = 0, groups: np.ndarray | None = None) -> Sample:
    generator = np.random.default_rng(seed)
    labels = (generator.random((num, 4)) < (0.5, 0.2, 0.1, 0.05)).astype(np.uint8)
    outputs = np.round(np.clip(generator.normal(0.3 + 0.3 * labels, 0.2), 0, 1), 2)  # with ties
    return Sample(outputs, labels, (outputs >= 0.4).astype(np.uint8), groups)


def numbers(num: int = 200, seed: int = 0) -> Sample:
    generator = np.random.default_rng(seed)
    labels = generator.normal((50, 1e6), (10, 3), (num, 2))
    outputs = np.round(labels + generator.normal(0, (4, 2), (num, 2)))
    return Sample(outputs, labels, outputs)


@pytest.mark.parametrize("name", [*names_of("multi"), *names_of("number")])
def test_every_metric_measures_and_is_documented(name: str) -> None:
    module = METRICS.get(name)
    assert module.__doc__
    of_several = "multi" in module.TASK
    found = module.measure(several() if of_several else numbers())
    figures = [f for f in (found if isinstance(found, list) else [found]) if isinstance(f, Figure)]
    for one in figures:
        assert one.interval[0] < one.value < one.interval[1]
        assert module.measure(several() if of_several else numbers()) == found  # the same again


def test_average_precision_and_auroc_are_scikit_learns_also_under_weights() -> None:
    sample = several()
    generator = np.random.default_rng(1)
    weights = np.stack([np.ones(300), generator.integers(0, 4, 300), generator.integers(0, 4, 300)]).astype(float)
    for p, y in zip(sample.outputs.T, sample.labels.T, strict=True):
        for ours, reference in (
            (average_precision, theirs.average_precision_score),
            (auroc, theirs.roc_auc_score),
        ):
            expected = [reference(y, p, sample_weight=w) for w in weights]
            assert ours(p, y, weights) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", [*names_of("multi"), *names_of("number")])
def test_of_a_single_group_there_is_no_interval(name: str) -> None:
    """But for rates, which it is worth one picture for."""
    one = several() if "multi" in METRICS.get(name).TASK else numbers()
    found = METRICS.get(name).measure(replace(one, groups=np.zeros(len(one.labels), np.intp)))
    for figure_of in found if isinstance(found, list) else [found]:
        if isinstance(figure_of, Figure) and name not in ("exact_match", "ece"):
            assert figure_of.value is not None and figure_of.interval is None


def test_a_number_that_does_not_vary_leaves_r2_of_the_others() -> None:
    one = numbers()
    labels = one.labels.copy()
    labels[:, 1] = 5
    constant = replace(one, labels=labels)
    first = METRICS.get("r2_each").measure(one)[0]
    assert METRICS.get("r2").measure(constant).value == pytest.approx(first.value)
    assert redrawn(constant, "number").figure.value == pytest.approx(first.value)
    assert METRICS.get("r2").measure(replace(one, labels=0 * labels + 5)).value is None


def test_figures_of_several_labels_are_scikit_learns() -> None:
    sample = several()
    y, p, d = sample.labels, sample.outputs, sample.decided
    for name, expected in (
        ("mean_average_precision", theirs.average_precision_score(y, p, average="macro")),
        ("f1_macro", theirs.f1_score(y, d, average="macro")),
        ("f1_micro", theirs.f1_score(y, d, average="micro")),
        ("exact_match", theirs.accuracy_score(y, d)),
        ("hamming_loss", theirs.hamming_loss(y, d)),
    ):
        assert METRICS.get(name).measure(sample).value == pytest.approx(expected, rel=1e-12), name
    for k, score in enumerate(METRICS.get("per_label").measure(sample)):
        assert score.count == y[:, k].sum()
        assert score.precision == pytest.approx(theirs.precision_score(y[:, k], d[:, k]))
        assert score.recall == pytest.approx(theirs.recall_score(y[:, k], d[:, k]))
        assert score.f1.value == pytest.approx(theirs.f1_score(y[:, k], d[:, k]))
        assert score.auroc.value == pytest.approx(theirs.roc_auc_score(y[:, k], p[:, k]))


def test_figures_of_numbers_are_scikit_learns_and_scipys() -> None:
    sample = numbers()
    y, p = sample.labels, sample.outputs
    assert METRICS.get("r2").measure(sample).value == pytest.approx(theirs.r2_score(y, p))
    for t in range(2):
        for name, expected in (
            ("r2_each", theirs.r2_score(y[:, t], p[:, t])),
            ("mae", theirs.mean_absolute_error(y[:, t], p[:, t])),
            ("rmse", theirs.root_mean_squared_error(y[:, t], p[:, t])),
            ("spearman", stats.spearmanr(y[:, t], p[:, t]).statistic),
        ):
            assert METRICS.get(name).measure(sample)[t].value == pytest.approx(expected, rel=1e-9), name


def test_ranks_under_weights_are_those_of_repeated_values() -> None:
    generator = np.random.default_rng(0)
    values, weights = generator.integers(0, 6, 40).astype(float), generator.integers(0, 4, 40)
    repeated = stats.rankdata(np.repeat(values, weights))
    found = np.repeat(ranks(values, weights[None].astype(float))[0], weights)
    assert found == pytest.approx(repeated)


def test_a_class_that_no_picture_or_every_picture_carries_is_undefined_and_left_out() -> None:
    sample = several()
    labels = sample.labels.copy()
    labels[:, 2], labels[:, 3] = 0, 1
    sample = Sample(sample.outputs, labels, sample.decided)
    never, always = METRICS.get("per_label").measure(sample)[2:]
    for score in (never, always):
        assert score.average_precision == score.auroc == Figure(None, None)
    assert never.recall is None and never.recall_interval is None and always.recall is not None
    two = theirs.average_precision_score(labels[:, :2], sample.outputs[:, :2])
    assert METRICS.get("mean_average_precision").measure(sample).value == pytest.approx(two)


def test_nothing_to_measure_is_no_error() -> None:
    none = Sample(np.full((5, 2), 0.3), np.zeros((5, 2), np.uint8), np.zeros((5, 2), np.uint8))
    assert METRICS.get("mean_average_precision").measure(none) == Figure(None, None)
    assert METRICS.get("f1_micro").measure(none) == Figure(None, None)
    constant = Sample(np.ones((5, 1)), np.full((5, 1), 1e9), np.ones((5, 1)))
    assert METRICS.get("r2").measure(constant) == Figure(None, None)


def test_answering_the_mean_explains_nothing() -> None:
    labels = np.random.default_rng(0).normal(5, 2, (100, 1))
    outputs = np.full((100, 1), labels.mean())
    assert METRICS.get("r2").measure(Sample(outputs, labels, outputs)).value == pytest.approx(0, abs=1e-12)


def test_the_interval_of_a_mean_is_the_theorys_and_wider_by_groups() -> None:
    generator = np.random.default_rng(0)
    errors = np.repeat(generator.normal(0, 1, 100), 10)[:, None]  # ten equal pictures a group
    zeros, groups = np.zeros((1000, 1)), np.repeat(np.arange(100), 10)
    alone = figure(Sample(errors, zeros, errors), lambda w: w @ errors / w.sum(axis=1, keepdims=True))
    together = figure(Sample(errors, zeros, errors, groups), lambda w: w @ errors / w.sum(axis=1, keepdims=True))
    half = 1.96 * errors.std() / np.sqrt(1000)
    assert (alone.interval[1] - alone.interval[0]) / 2 == pytest.approx(half, rel=0.1)
    assert (together.interval[1] - together.interval[0]) / 2 == pytest.approx(half * np.sqrt(10), rel=0.15)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """AUROC of two normal distributions one standard deviation apart is Phi(1 / sqrt 2) = 0.760."""
    covered = 0
    for seed in range(100):
        generator = np.random.default_rng(seed)
        labels = (np.arange(120) < 40).astype(np.uint8)[:, None]
        outputs = generator.normal(labels, 1)
        found = figure(
            Sample(outputs, labels, labels),
            lambda w, p=outputs[:, 0], y=labels[:, 0]: auroc(p, y, w)[:, None],
        )
        covered += found.interval[0] <= stats.norm.cdf(1 / np.sqrt(2)) <= found.interval[1]
    assert 88 <= covered <= 99


def test_a_draw_without_the_only_picture_of_a_class_leaves_the_mean_where_it_is() -> None:
    """A class with one picture, ranked first: its average precision is 1 or undefined, never a reason to move."""
    sample = several()
    labels, outputs = sample.labels[:, :2].copy(), sample.outputs[:, :2].copy()
    labels[:, 1] = 0
    labels[5, 1], outputs[5, 1] = 1, 2.0
    alone = METRICS.get("mean_average_precision").measure(Sample(outputs[:, :1], labels[:, :1], labels[:, :1]))
    both = METRICS.get("mean_average_precision").measure(Sample(outputs, labels, labels))
    assert both.value == pytest.approx((alone.value + 1) / 2)
    assert both.interval == pytest.approx([(end + 1) / 2 for end in alone.interval])
