"""The forecast: its intervals hold what comes, flat curves are called flat, others are not, nonsense is refused."""

import numpy as np
import pytest

from sightline.growth.forecast import Verdict, forecast
from sightline.growth.power_law import Laws

from .planted import NUMS, drawn_from


@pytest.mark.parametrize(("num_test", "noise", "least"), [(1000, 0.0, 0.94), (1000, 0.04, 0.92)])
def test_of_300_curves_the_intervals_hold_the_error_at_twice_and_four_times(
    num_test: int, noise: float, least: float
) -> None:
    """`noise`: by which trainings differ, a share of their error. Found: docs/experiments.md."""
    generator, held = np.random.default_rng(0), []
    for _ in range(300):
        now, (exponent, share) = (
            np.exp(generator.uniform(np.log(0.02), np.log(0.3))),
            generator.uniform((0.2, 0), (1, 0.6)),
        )
        law = Laws(*(np.array([x]) for x in (now * (1 - share), exponent, now * share)), largest=1000.0)
        errors = np.array([law.at(num)[0] for num in NUMS]) * np.exp(noise * generator.normal(size=4))
        found = forecast(NUMS, *drawn_from(errors.clip(0, 0.95), num_test, generator), num_test)
        held.append([at.interval[0] <= law.at(at.num)[0] <= at.interval[1] for at in found.at])
    rates = np.mean(held, axis=0)
    assert (rates >= least).all()


@pytest.mark.parametrize("num_test", [200, 2000])
def test_flat_curves_are_called_flat(num_test: int) -> None:
    """One in 40 may seem to fall, one in 40 to rise."""
    generator, found = np.random.default_rng(1), []
    for _ in range(300):
        errors = np.full(4, generator.uniform(0.03, 0.3))
        found.append(forecast(NUMS, *drawn_from(errors, num_test, generator), num_test))
    verdicts = [one.verdict for one in found]
    assert 0.005 < np.mean([one.has_fallen for one in found]) < 0.05
    assert verdicts.count(Verdict.FLAT) / 300 > 0.92
    assert verdicts.count(Verdict.HELPS) / 300 < 0.05 and verdicts.count(Verdict.RISES) / 300 < 0.05


def test_falling_curves_are_called_so() -> None:
    generator = np.random.default_rng(2)
    errors = 0.1 * (NUMS / 1000) ** -0.5
    found = [forecast(NUMS, *drawn_from(errors, 1000, generator), 1000) for _ in range(50)]
    assert all(one.verdict is Verdict.HELPS for one in found)
    assert np.median([one.at[0].error for one in found]) == pytest.approx(0.1 / 2**0.5, abs=0.008)


def test_a_curve_that_fell_and_levelled_off_brings_nothing() -> None:
    found = forecast(NUMS, *drawn_from(np.array([0.3, 0.11, 0.1, 0.1]), 1000, np.random.default_rng(3)), 1000)
    assert found.has_fallen and not found.falls_on and found.gain < found.visible
    assert found.verdict is Verdict.FLAT


def test_no_mistake_at_all_is_flat() -> None:
    found = forecast(NUMS, np.zeros(4), np.zeros((100, 4)), 300)
    assert found.verdict is Verdict.FLAT and found.at[1].error == 0 and found.visible > 0


def test_errors_that_rise_beyond_chance_are_extended_by_nothing() -> None:
    found = forecast(NUMS, *drawn_from(np.array([0.3, 0.2, 0.35, 0.15]), 2000, np.random.default_rng(4)), 2000)
    assert found.verdict is Verdict.RISES and found.rises_at == 2


def test_few_test_pictures_are_refused() -> None:
    errors = 0.1 * (NUMS / 1000) ** -0.8
    assert forecast(NUMS, *drawn_from(errors, 49, np.random.default_rng(5)), 49).verdict is Verdict.FEW


def test_three_points_suffice_and_the_laws_are_as_many_as_the_draws() -> None:
    errors, drawn = drawn_from(0.1 * (NUMS / 1000) ** -0.5, 1000, np.random.default_rng(6))
    found = forecast(NUMS[1:], errors[1:], drawn[:, 1:], 1000)
    assert found.verdict is Verdict.HELPS and len(found.laws.scale) == len(drawn)
    assert 0.03 < found.at[1].error < 0.08 and found.at[1].num == 4000


def test_where_the_last_point_is_left_out_the_law_is_still_that_of_all_numbers() -> None:
    """A law without chance is the same through any three points of it."""
    drawn = np.repeat((0.1 * (NUMS / 1000) ** -0.5)[None], 200, axis=0)
    found = forecast(NUMS, drawn[0], drawn, 1000)
    assert found.at[0].interval == pytest.approx((0.1 * 2**-0.5,) * 2, rel=0.02)
    middle, low, high = found.around(NUMS)
    assert middle == pytest.approx(drawn[0], rel=0.02) and (low <= middle).all() and (middle <= high).all()
