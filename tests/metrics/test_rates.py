"""The interval of a rate: by hand, and how often it holds the truth where pictures belong to groups."""

import numpy as np
import pytest

from sightline.metrics import METRICS, Sample, rate
from sightline.metrics._interval import wilson


def in_groups(generator: np.random.Generator, share: float, alike: float, num: int) -> tuple[np.ndarray, np.ndarray]:
    """Hits and groups: `num` groups of 10 pictures in the mean, whose own shares are beta distributed; `alike`: the
    correlation of two pictures of one group."""
    sizes = generator.geometric(0.1, num)
    own = np.full(num, share)
    if alike:
        own = generator.beta(share * (1 / alike - 1), (1 - share) * (1 / alike - 1), num)
    groups = np.repeat(np.arange(num), sizes)
    return generator.random(len(groups)) < own[groups], groups


@pytest.mark.parametrize("share", [0.5, 0.9, 0.98])
@pytest.mark.parametrize("alike", [0.1, 0.5])
@pytest.mark.parametrize("num", [12, 80])
def test_by_groups_it_holds_the_truth_nearly_as_often_as_it_says(share: float, alike: float, num: int) -> None:
    generator = np.random.default_rng(0)
    held, held_alone = [], []
    for _ in range(400):
        hits, groups = in_groups(generator, share, alike, num)
        for found, interval in ((held, rate(hits, groups).interval), (held_alone, rate(hits).interval)):
            found.append(interval[0] <= share <= interval[1])
    assert np.mean(held) > 0.9
    assert np.mean(held_alone) < np.mean(held) - 0.05


def test_groups_that_say_nothing_cost_little() -> None:
    """Of pictures that are right or wrong each by itself."""
    generator, wider = np.random.default_rng(0), []
    for _ in range(100):
        hits, groups = in_groups(generator, 0.9, 0, 100)
        wider.append(np.ptp(rate(hits, groups).interval) / np.ptp(rate(hits).interval))
    assert np.min(wider) >= 1 and np.mean(wider) < 1.15


def test_pictures_of_a_group_that_are_all_alike_are_worth_one() -> None:
    hits = np.random.default_rng(0).random(100) < 0.8
    groups = np.repeat(np.arange(100), 5)
    together = rate(np.repeat(hits, 5), groups)
    assert together.value == hits.mean()
    assert np.ptp(together.interval) == pytest.approx(np.ptp(rate(hits).interval), rel=0.05)
    assert rate(np.ones(500, bool), groups).interval == wilson(100, 100)
    assert rate(np.zeros(500, bool), groups).interval == wilson(0, 100)


def test_one_group_is_worth_one_picture() -> None:
    hits, one = np.array([True, True, False]), np.zeros(3, int)
    assert rate(hits, one).interval == wilson(2 / 3, 1)


@pytest.mark.parametrize("task", ["single", "multi"])
def test_each_class_and_each_bin_is_wider_by_groups(task: str) -> None:
    generator = np.random.default_rng(0)
    truth, said = generator.integers(0, 2, (60, 3)), generator.random((60, 3))
    labels, decided = (truth, (said > 0.3).astype(int)) if task == "multi" else (truth[:, 0], truth[:, 1])
    once = (said, labels, decided)
    five = [np.repeat(each, 5, axis=0) for each in once]
    alone, together = Sample(*five), Sample(*five, groups=np.repeat(np.arange(60), 5))
    scores = METRICS.get("per_class" if task == "single" else "per_label")
    for a, b in zip(scores.measure(alone), scores.measure(together), strict=True):
        if a.recall not in (None, 0, 1):
            assert a.recall == b.recall and np.ptp(b.recall_interval) > 1.7 * np.ptp(a.recall_interval)
    for a, b in zip(*(METRICS.get("reliability").measure(one) for one in (alone, together)), strict=True):
        assert a.count == b.count and np.ptp(b.interval) > 1.3 * np.ptp(a.interval)
