"""AUROC and average precision of each class against all others: scikit-learn's values, DeLong's and drawn intervals."""

import time
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from sightline.metrics import METRICS, Asked, Figure, Sample, _areas
from sightline.metrics._bootstrap import figure
from sightline.metrics._ranking import auroc, average_precision

KINDS = ("auroc", "average_precision")


def sample(num: int, num_classes: int, seed: int = 0, edge: float = 1.5) -> Sample:
    """Probabilities with ties, classes of different sizes."""
    generator = np.random.default_rng(seed)
    sizes = np.arange(1, num_classes + 1.0)
    labels = generator.choice(num_classes, num, p=sizes / sizes.sum())
    logits = generator.normal(size=(num, num_classes)) + edge * (labels[:, None] == np.arange(num_classes))
    outputs = np.round(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), 3)
    return Sample(outputs, labels, outputs.argmax(axis=1))


@pytest.mark.parametrize("num_classes", [2, 3, 7])
def test_they_are_scikit_learns(num_classes: int) -> None:
    one = sample(400, num_classes)
    truth = one.labels[:, None] == np.arange(num_classes)
    scores = METRICS.get("per_class").measure(one)
    for k, score in enumerate(scores):
        assert score.auroc.value == pytest.approx(roc_auc_score(truth[:, k], one.outputs[:, k]), abs=1e-12)
        expected = average_precision_score(truth[:, k], one.outputs[:, k])
        assert score.average_precision.value == pytest.approx(expected, abs=1e-12)
    for kind in KINDS:
        found = METRICS.get(kind).measure(one).value
        each = [getattr(score, kind).value for score in scores]
        assert found == pytest.approx(each[1] if num_classes == 2 else np.mean(each), abs=1e-12)


def test_delongs_variance_by_hand() -> None:
    """Three with the class (0.9, 0.8, 0.3), two without (0.5, 0.1): 5 of 6 pairs are in order."""
    outputs = np.array([0.9, 0.8, 0.3, 0.5, 0.1])
    one = Sample(np.stack([1 - outputs, outputs], 1), np.array([1, 1, 1, 0, 0]), (outputs > 0.5).astype(int))
    area = _areas.areas(one, "auroc")[1]
    assert area is not None and area.value == pytest.approx(5 / 6)
    # of those with: 1, 1, 1/2 of those without are below; of those without: 2/3 and 1 of those with are above
    expected = np.var([1, 1, 0.5], ddof=1) / 3 + np.var([2 / 3, 1], ddof=1) / 2
    assert _areas.variance(area.influence, None) == pytest.approx(expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("in_groups", [False, True])
def test_the_influence_of_pictures_varies_as_drawing_them_anew_does(kind: str, in_groups: bool) -> None:
    one = sample(600, 2)
    if in_groups:  # each picture four times
        parts = {name: np.repeat(getattr(one, name)[:300], 4, axis=0) for name in ("outputs", "labels", "decided")}
        one = replace(one, **parts, groups=np.repeat(np.arange(300), 4))
    area = _areas.areas(one, kind)[1]
    assert area is not None
    by = auroc if kind == "auroc" else average_precision
    drawn = figure(one, lambda w: by(one.outputs[:, 1], (one.labels == 1).astype(np.uint8), w)[:, None])
    assert drawn.interval is not None
    spread = np.sqrt(_areas.variance(area.influence, one.groups))
    assert np.ptp(drawn.interval) / 3.92 == pytest.approx(spread, rel=0.12)
    raw = (_areas._auroc if kind == "auroc" else _areas._average_precision)(one.outputs[:, 1], one.labels == 1)[1]
    assert abs(raw.sum()) < 1e-9  # all pictures twice: the same figure


@pytest.mark.parametrize("kind", KINDS)
def test_a_perfect_order_is_no_certainty(kind: str) -> None:
    outputs = np.linspace(0.01, 0.99, 30)
    one = Sample(np.stack([1 - outputs, outputs], 1), (outputs > 0.7).astype(int), (outputs > 0.5).astype(int))
    found = METRICS.get(kind).measure(one)
    assert found.value == 1 and found.interval[1] == 1 and 0.5 < found.interval[0] < 0.95
    worst = METRICS.get(kind).measure(replace(one, outputs=one.outputs[:, ::-1]))
    assert worst.interval[0] <= worst.value <= worst.interval[1] < 0.6
    many = sample(200, 5, edge=30)
    found = METRICS.get(kind).measure(many)
    assert found.value == 1 and 0.9 < found.interval[0] < 1


def test_newcombes_example_of_a_perfect_order() -> None:
    """The score equation at the lower end: the distance is 1.96 standard errors by Hanley and McNeil's variance."""
    area = _areas.Area(1.0, np.zeros(30), (10, 20))
    low, high = _areas._by_counts(area, "auroc")
    q1, q2 = low / (2 - low), 2 * low**2 / (1 + low)
    as_counted = low * (1 - low) + 14 * ((q1 - low**2) + (q2 - low**2))
    assert high == 1 and (1 - low) / np.sqrt(as_counted / 200) == pytest.approx(1.96, rel=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_classes_that_none_or_all_are_of_are_undefined_and_left_out(kind: str) -> None:
    one = sample(300, 3)
    wider = replace(one, outputs=np.concatenate([one.outputs, np.zeros((300, 1))], axis=1))
    assert getattr(METRICS.get("per_class").measure(wider)[3], kind) == Figure(None, None)
    assert METRICS.get(kind).measure(wider).value == METRICS.get(kind).measure(one).value
    alone = replace(one, labels=np.zeros(300, np.int64))
    assert METRICS.get(kind).measure(alone) == Figure(None, None)


def test_of_two_classes_the_positive_one_counts() -> None:
    one = sample(300, 2)
    first = replace(one, asked=Asked(positive=0))
    scores = METRICS.get("per_class").measure(one)
    for of, k in ((one, 1), (first, 0)):
        assert METRICS.get("average_precision").measure(of) == scores[k].average_precision
    assert METRICS.get("auroc").measure(one).value == pytest.approx(METRICS.get("auroc").measure(first).value)


@pytest.mark.parametrize(("num", "num_classes"), [(10_000, 10), (2_000, 43)])
def test_thousands_of_pictures_take_no_time(num: int, num_classes: int) -> None:
    one = sample(num, num_classes)
    begin = time.process_time()
    for name in ("auroc", "average_precision", "per_class"):
        METRICS.get(name).measure(one)
    assert time.process_time() - begin < 2  # 0.2 s on one core
