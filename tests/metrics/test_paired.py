"""Differences of two runs on the same pictures: by hand, against McNemar's test, and over many simulated tests."""

from collections.abc import Iterator

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import xlogy
from scipy.stats import chi2, t, ttest_rel

from sightline.metrics import Sample, mean_average_precision, of_average_precision, of_means, of_rates
from sightline.metrics._interval import student

NUM_SIMULATED = 1_000


def pair(both: int, first: int, second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Which pictures the two are right about, by how many."""
    counts = [both, first, second, neither]
    return np.repeat([1, 1, 0, 0], counts) == 1, np.repeat([1, 0, 1, 0], counts) == 1


@pytest.mark.parametrize("counts", [(43, 1, 0, 0), (60, 5, 20, 15), (0, 12, 3, 5), (10, 0, 9, 1)])
def test_at_the_ends_of_the_interval_the_score_is_its_quantile(counts: tuple[int, int, int, int]) -> None:
    """The score needs the likeliest share of pictures that the second alone is right about, given a difference; here it
    is searched for."""
    both, lost, won, neither = counts
    num = sum(counts)
    for end in of_rates(*pair(*counts), None).interval:

        def unlikely(share: float, end: float = end) -> float:
            return -float(xlogy(won, share) + xlogy(lost, share - end) + xlogy(both + neither, 1 - 2 * share + end))

        found = minimize_scalar(
            unlikely, bounds=(max(0.0, end), (1 + end) / 2), method="bounded", options={"xatol": 1e-12}
        )
        variance = num * (2 * found.x - end - end**2)
        assert abs(won - lost - num * end) / np.sqrt(variance) == pytest.approx(1.959964, rel=1e-3)


def test_runs_that_answer_alike_are_not_certain_to_be_equal() -> None:
    found = of_rates(*pair(90, 0, 0, 10), None)
    z2 = 1.959964**2
    assert found.value == 0 and found.num_needed is None and not found.is_clear
    assert found.interval == (pytest.approx(-z2 / (100 + z2)), pytest.approx(z2 / (100 + z2)))


@pytest.mark.parametrize(("first", "second"), [(5, 20), (10, 12), (3, 12), (20, 6), (0, 4), (0, 3)])
def test_it_is_clear_where_mcnemars_test_says_so(first: int, second: int) -> None:
    p = chi2.sf((first - second) ** 2 / (first + second), 1)
    assert of_rates(*pair(60, first, second, 20), None).is_clear == (p < 0.05)


def test_means_are_those_of_the_paired_t_test_but_for_few() -> None:
    generator = np.random.default_rng(0)
    first = generator.normal(size=500)
    second = first + generator.normal(0.1, 1, 500)
    expected = ttest_rel(second, first).confidence_interval()
    assert of_means(first, second, None).interval == (
        pytest.approx(expected.low, abs=1e-3), pytest.approx(expected.high, abs=1e-3)
    )  # fmt: skip


def simulated(difference: float, num: int, num_groups: int | None = None) -> Iterator[bool]:
    """Whether each of many simulated tests tells two runs apart, the second so much better."""
    generator = np.random.default_rng(1)
    for _ in range(NUM_SIMULATED):
        count = num_groups or num
        ease = generator.random(count)
        first, second = generator.random((2, count)) < np.clip(0.6 + 0.3 * ease + [[0], [difference]], 0, 1)
        groups = None
        if num_groups is not None:
            groups = np.repeat(np.arange(num_groups), num // num_groups)
            first, second = first[groups], second[groups]
        yield of_rates(first, second, groups).is_clear


def test_equally_good_runs_are_told_apart_once_in_twenty() -> None:
    assert 0.035 < np.mean([*simulated(0.0, 300)]) < 0.065  # of 1,000, two standard errors


def test_pictures_that_belong_together_do_not_make_it_surer() -> None:
    assert 0.03 < np.mean([*simulated(0.0, 600, 100)]) < 0.075


@pytest.mark.parametrize("num_groups", [3, 8])
def test_few_groups_are_not_taken_for_many(num_groups: int) -> None:
    """By the normal quantile 18 and 9 % of such comparisons would find a difference."""
    assert np.mean([*simulated(0.0, 20 * num_groups, num_groups)]) < 0.07


def test_one_group_cannot_tell() -> None:
    first, second = pair(10, 2, 30, 8)
    found = of_rates(first, second, np.zeros(50, np.intp))
    assert (found.interval, found.num_needed, found.is_clear) == (None, None, False)


def test_groups_that_do_not_differ_are_not_certain_to_be_equal() -> None:
    first, second = pair(150, 0, 0, 50)
    low, high = of_rates(first, second, np.arange(200)).interval or (0.0, 0.0)
    assert low < -0.005 and high > 0.005


def test_more_pictures_are_needed_than_do_not_suffice() -> None:
    found = of_rates(*pair(0, 0, 3, 0), None)
    assert not found.is_clear and found.num_needed is not None and found.num_needed > 3


@pytest.mark.parametrize("counts", [(0, 0, 40, 0), (0, 40, 0, 0)])
def test_all_wrong_against_all_right(counts: tuple[int, int, int, int]) -> None:
    found = of_rates(*pair(*counts), None)
    assert abs(found.value) == 1 and found.is_clear


def test_the_quantile_is_students() -> None:
    for freedom, error in ((1, 0.05), (2, 0.05), (4, 0.01), (30, 0.05 / 3), (999, 0.05), (5_000, 0.05)):
        assert student(freedom, error) == pytest.approx(t.ppf(1 - error / 2, freedom), rel=2e-3)


def test_as_many_pictures_as_said_tell_them_apart_in_four_of_five_cases() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.random((2, 200_000)) < 0.75 + np.array([[0.0], [0.08]])
    needed = of_rates(first, second, None).num_needed
    assert needed is not None
    clear = []
    for _ in range(NUM_SIMULATED):
        first, second = generator.random((2, needed)) < 0.75 + np.array([[0.0], [0.08]])
        clear.append(of_rates(first, second, None).is_clear)
    assert np.mean(clear) == pytest.approx(0.8, abs=0.04)


def ordered(generator: np.random.Generator, num: int, noise: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities (num, 1) of two runs, of which the second has more noise if that is above 0.7; labels (num, 1)."""
    labels = (generator.random((num, 1)) < 0.3).astype(np.uint8)
    seen = generator.normal(0, 1, (num, 1)) + 1.5 * labels
    first, second = (seen + generator.normal(0, sd, (num, 1)) for sd in (0.7, noise))
    return first, second, labels


def test_equal_orders_are_told_apart_once_in_twenty() -> None:
    generator = np.random.default_rng(0)
    clear = [of_average_precision(*ordered(generator, 100, 0.7), None).is_clear for _ in range(NUM_SIMULATED)]
    assert 0.035 < np.mean(clear) < 0.07


def test_equal_orders_of_pictures_that_belong_together_are_no_surer() -> None:
    """Each picture four times: taken for four, more than every fifth of such comparisons finds a difference."""
    generator, clear = np.random.default_rng(1), {True: 0, False: 0}
    for _ in range(150):
        first, second, labels = (np.repeat(values, 4, axis=0) for values in ordered(generator, 40, 0.7))
        for together in clear:
            groups = np.repeat(np.arange(40), 4) if together else None
            clear[together] += of_average_precision(first, second, labels, groups).is_clear
    assert clear[True] <= 0.11 * 150 < 0.2 * 150 < clear[False]


def test_a_worse_order_is_told_and_by_how_much() -> None:
    first, second, labels = ordered(np.random.default_rng(2), 2_000, 2.0)
    found = of_average_precision(first, second, labels, None)
    values = [mean_average_precision.measure(Sample(p, labels, labels)).value for p in (first, second)]
    assert found.value == pytest.approx(values[1] - values[0]) and found.is_clear and found.value < -0.1
    assert found.num_needed is not None and found.num_needed < 1_000
    again = of_average_precision(first, second, labels, None)
    assert again == found


def test_orders_that_do_not_differ_are_not_certain_to_be_equal() -> None:
    first, _, labels = ordered(np.random.default_rng(3), 100, 0.7)
    found = of_average_precision(first, 2 * first, labels, None)
    assert found.value == 0 and found.num_needed is None
    assert found.interval == (pytest.approx(-1.98 / 100, rel=0.01), pytest.approx(1.98 / 100, rel=0.01))
    assert of_average_precision(first, first, labels, np.zeros(100, np.intp)).interval is None
    with pytest.raises(ValueError, match="no class is carried by some"):
        of_average_precision(first, first, 0 * labels, None)


def test_equal_errors_are_told_apart_once_in_twenty() -> None:
    """Mean absolute errors of two runs that share what is hard."""
    generator, clear = np.random.default_rng(4), []
    for _ in range(NUM_SIMULATED):
        hard = generator.gamma(1, 1, 150)
        first, second = abs(hard * generator.normal(0, 1, (2, 150)))
        clear.append(of_means(first, second, None).is_clear)
    assert 0.03 < np.mean(clear) < 0.07
