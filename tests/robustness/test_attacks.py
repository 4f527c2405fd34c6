"""FGSM and PGD on a network whose best attack is known: a linear one."""

import numpy as np
import pytest

from sightline.data.warp import Floats
from sightline.robustness.attacks import NUM_STEPS, fgsm, pgd, starts_for

SLOPE = np.array([1.0, -2.0, 0.5, -0.1], np.float32).reshape(1, 2, 2, 1)
LABELS = np.zeros(2, np.int64)


def straight(images: Floats, labels: object) -> Floats:
    return np.broadcast_to(SLOPE, images.shape)


@pytest.mark.parametrize("eps", [1, 4])
def test_the_best_change_of_a_linear_network_is_eps_in_each_pixel(eps: int) -> None:
    images = np.full((2, 2, 2, 1), 100, np.float32)
    best = images + eps * np.sign(SLOPE)
    assert np.array_equal(fgsm(images, LABELS, eps, straight), best)
    starts = starts_for((2, 2, 1), np.array([5, 9]), "PGD", 0)
    assert np.array_equal(pgd(images, LABELS, eps, straight, starts), best)


def test_no_value_leaves_its_eps_or_the_range() -> None:
    random = np.random.default_rng(0)
    images = random.uniform(0, 255, (2, 5, 5, 3)).astype(np.float32)
    images[0, 0], images[0, 1] = 0, 255
    calls = []

    def any_way(points: Floats, labels: object) -> Floats:
        calls.append(points)
        return random.normal(size=points.shape).astype(np.float32)

    found = pgd(images, LABELS, 8, any_way, starts_for((5, 5, 3), np.array([0, 1]), "PGD", 0))
    assert len(calls) == NUM_STEPS
    for points in (*calls, found):
        assert abs(points - images).max() <= 8 + 1e-4 and points.min() >= 0 and points.max() <= 255


def test_starts_belong_to_their_picture() -> None:
    both = starts_for((4, 4, 1), np.array([3, 8]), "PGD", 1)
    assert abs(both).max() <= 1 and both.min() < -0.5 and both.max() > 0.5
    assert np.array_equal(both[1:], starts_for((4, 4, 1), np.array([8]), "PGD", 1))
    assert not np.array_equal(both, starts_for((4, 4, 1), np.array([3, 8]), "other", 1))
    assert not np.array_equal(both, starts_for((4, 4, 1), np.array([3, 8]), "PGD", 2))
