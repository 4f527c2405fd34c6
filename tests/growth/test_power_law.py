"""The power law: planted ones come back, bounds hold, and it is the least squares there are."""

import numpy as np
import pytest

from sightline.growth.power_law import MAX_EXPONENT, fitted, without_floor

NUMS = np.array([125.0, 250.0, 500.0, 1000.0])
ONE = np.ones(4)


@pytest.mark.parametrize(("scale", "exponent", "floor"), [(0.1, 0.5, 0.02), (0.05, 0.3, 0.0), (0.02, 1.2, 0.1)])
def test_a_planted_law_comes_back(scale: float, exponent: float, floor: float) -> None:
    errors = scale * (NUMS / 1000) ** -exponent + floor
    law = fitted(NUMS, errors[None], 1e-4 * ONE)
    assert law.exponent[0] == pytest.approx(exponent, rel=0.028), "to the next exponent that is tried"
    assert law.scale[0] == pytest.approx(scale, rel=0.08) and law.floor[0] == pytest.approx(floor, abs=0.005)
    assert law.at(4000)[0] == pytest.approx(scale * 4**-exponent + floor, rel=0.01)


def test_without_a_floor_two_points_suffice() -> None:
    errors = 0.1 * (NUMS[2:] / 1000) ** -0.7
    law = without_floor(NUMS[2:], errors[None], ONE[2:])
    assert law.at(250)[0] == pytest.approx(0.1 * 4**0.7, rel=0.02) and law.floor.tolist() == [0.0]


def test_rising_errors_give_their_mean_and_falling_too_fast_ones_the_steepest_law() -> None:
    rising = fitted(NUMS, np.array([[0.1, 0.2, 0.3, 0.4]]), ONE)
    assert rising.scale[0] == 0 and rising.at(8000)[0] == pytest.approx(0.25)
    steep = fitted(NUMS, np.array([[0.9, 0.05, 0.0, 0.0]]), ONE)
    assert steep.exponent[0] == MAX_EXPONENT and steep.floor[0] == 0 and steep.at(8000)[0] >= 0
    nothing = fitted(NUMS, np.zeros((1, 4)), ONE)
    assert nothing.at(2000)[0] == 0


def test_a_point_of_large_variance_hardly_counts() -> None:
    errors = 0.1 * (NUMS / 1000) ** -0.5 + np.array([0.3, 0, 0, 0])
    assert fitted(NUMS, errors[None], np.array([1e6, 1, 1, 1])).at(2000)[0] == pytest.approx(0.1 * 2**-0.5, rel=0.02)


def test_no_law_nearby_has_less_squares() -> None:
    """Against all of a grid, for errors that follow no law; and rows do not mix."""
    generator = np.random.default_rng(0)
    errors, variances = generator.uniform(0, 0.5, (20, 4)), np.array([4.0, 3.0, 2.0, 1.0])
    laws = fitted(NUMS, errors, variances)
    got = np.stack([laws.at(num) for num in NUMS], axis=1)
    squares = ((got - errors) ** 2 / variances).sum(axis=1)
    a, c = (g[:, None, None] for g in (np.linspace(0, 0.6, 61), np.linspace(0, 0.6, 61)))
    for b in (0.01, 0.3, 1.0, 2.0):
        grid = a[:, None] * (NUMS / 1000) ** -b + c[None]  # (61, 61, 1, 4)
        least = ((grid - errors) ** 2 / variances).sum(axis=-1).min(axis=(0, 1))
        assert (squares <= least + 1e-3).all()
    alone = fitted(NUMS, errors[7:8], variances)
    assert alone.at(3000)[0] == pytest.approx(laws.at(3000)[7])
