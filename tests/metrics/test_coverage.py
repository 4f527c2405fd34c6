"""Intervals hold the truth about as often as they say: 1,000 simulated tests each, where the truth is known."""

from collections.abc import Iterator

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score

from sightline.metrics import METRICS, Asked, Figure, Sample

pytestmark = pytest.mark.slow
NUM = 1_000
COUNTED = ("balanced_accuracy", "f1_macro", "f1_weighted", "precision_macro", "kappa")
LEAST = 0.925  # 95 %, less three standard errors of 1,000 tests, less half a point for asymptotics


def two_normals(num: int, share: float, edge: float) -> Iterator[tuple[Sample, float]]:
    """Scores of which the positive ones lie `edge` standard deviations above; with the threshold for 95 %."""
    generator = np.random.default_rng(0)
    for _ in range(NUM):
        labels = (generator.random(num) < share).astype(np.int64)
        if not 1 < labels.sum() < num - 1:
            continue
        known = generator.normal(size=100)
        scores = stats.norm.cdf(generator.normal(edge * labels, 1))
        asked = Asked(calibration=(np.zeros(100, np.int64), stats.norm.cdf(known)))
        yield Sample(np.stack([1 - scores, scores], 1), labels, (scores > 0.5).astype(np.int64), None, asked), edge


def share_held(held: list[bool]) -> float:
    return float(np.mean(held))


@pytest.mark.parametrize("edge", [1.0, 2.5, 3.5])
@pytest.mark.parametrize(("num", "share"), [(60, 0.3), (200, 0.1), (200, 0.5), (1_000, 0.1)])
def test_two_classes(num: int, share: float, edge: float) -> None:
    generator = np.random.default_rng(1)
    labels = generator.random(1_000_000) < share
    truth = {
        "auroc": stats.norm.cdf(edge / np.sqrt(2)),
        "average_precision": average_precision_score(labels, generator.normal(edge * labels, 1)),
        "on_curve": 1 - stats.norm.cdf(stats.norm.ppf(0.95) - edge),
    }
    held: dict[str, list[bool]] = {name: [] for name in (*truth, "transferred")}
    for sample, _ in two_normals(num, share, edge):
        point = METRICS.get("operating_point").measure(sample)
        found = {name: METRICS.get(name).measure(sample) for name in ("auroc", "average_precision")}
        found |= {"on_curve": point.on_curve.sensitivity, "transferred": point.transferred.sensitivity}
        at = stats.norm.ppf(min(point.transferred.threshold, 1 - 1e-12))
        for name, figure in found.items():
            true = 1 - stats.norm.cdf(at - edge) if name == "transferred" else truth[name]
            held[name].append(figure.interval[0] <= true <= figure.interval[1])
    rates = {name: share_held(each) for name, each in held.items()}
    print(num, share, edge, rates)
    assert min(rates.values()) > LEAST, rates


def of_matrix(matrix: np.ndarray) -> dict[str, float]:
    """What the figures are of infinitely many pictures."""
    carried, answered, hits = matrix.sum(axis=1), matrix.sum(axis=0), matrix.diagonal()
    by_chance = carried @ answered
    return {
        "balanced_accuracy": float((hits / carried).mean()),
        "f1_macro": float((2 * hits / (carried + answered)).mean()),
        "f1_weighted": float((2 * hits / (carried + answered)) @ carried),
        "precision_macro": float((hits / answered).mean()),
        "kappa": float((hits.sum() - by_chance) / (1 - by_chance)),
    }


@pytest.mark.parametrize("right", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("num", [300, 2_000])
@pytest.mark.parametrize("sizes", [(0.7, 0.3), (0.9, 0.1), (0.2,) * 5, (0.1,) * 10, (0.5, 0.25, 0.15, 0.07, 0.03)])
def test_confusion_matrices(sizes: tuple[float, ...], num: int, right: float) -> None:
    share = np.array(sizes)
    others = np.where(np.eye(len(share), dtype=bool), 0, share)
    matrix = np.diag(share * right) + share[:, None] * (1 - right) * others / others.sum(axis=1, keepdims=True)
    truth, generator = of_matrix(matrix), np.random.default_rng(5)
    held: dict[str, list[bool]] = {name: [] for name in COUNTED}
    for _ in range(NUM):
        cells = generator.choice(matrix.size, num, p=matrix.ravel() / matrix.sum())
        sample = Sample(np.zeros((num, len(share))), cells // len(share), cells % len(share))
        for name in COUNTED:
            found = METRICS.get(name).measure(sample)
            assert isinstance(found, Figure) and found.interval is not None
            held[name].append(found.interval[0] <= truth[name] <= found.interval[1])
    rates = {name: share_held(each) for name, each in held.items()}
    print(sizes, num, right, rates)
    assert min(rates.values()) > LEAST, rates
