"""Splits of rows with several labels, or numbers: each in proportion, groups whole, rare ones on both sides."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.data.dataset import ArrayImages, Dataset
from sightline.data.split import FRACTIONS, split
from sightline.data.stratify import deal_iteratively
from sightline.errors import DataError

SHARES = np.array(list(FRACTIONS.values()))


def table(labels: np.ndarray, groups: list[str] | None = None) -> Dataset:
    images = ArrayImages(np.zeros((len(labels), 2, 2, 1), np.uint8))
    names = tuple(f"c{k}" for k in range(labels.shape[1]))
    return Dataset("here", "test", images, [f"p{i}" for i in range(len(labels))], labels, names, groups)


def shares(part: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(parts, K): what share of each label lies in each part."""
    return np.stack([labels[part == p].sum(axis=0) for p in range(4)]) / labels.sum(axis=0)


def labelled(num: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    common = generator.random((num, 1)) < 0.5
    return (generator.random((num, 8)) < np.geomspace(0.6, 0.04, 8) * np.where(common, 1.5, 0.5)).astype(np.uint8)


def test_every_label_has_its_share_and_better_than_by_chance() -> None:
    labels = labelled(2000)
    dealt = shares(deal_iteratively(labels, None, FRACTIONS, 0), labels)
    assert np.abs(dealt - SHARES[:, None]).max() < 0.02
    drawn = shares(np.random.default_rng(0).choice(4, 2000, p=SHARES), labels)
    assert np.abs(dealt - SHARES[:, None]).mean() < 0.4 * np.abs(drawn - SHARES[:, None]).mean()


def test_rows_without_labels_are_dealt_out_too() -> None:
    part = deal_iteratively(np.zeros((200, 3), np.uint8), None, FRACTIONS, 0)
    assert np.bincount(part).tolist() == pytest.approx((200 * SHARES).tolist(), abs=1)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_rare_label_trains_and_tests(count: int) -> None:
    labels = labelled(300)
    labels[:, 7] = 0
    labels[:count, 7] = 1
    parts = split(table(labels))
    assert all(labels[parts.rows(name), 7].any() for name in ("train", "test"))


def test_of_a_label_that_nearly_all_carry_the_pictures_without_are_shared_out() -> None:
    labels = labelled(300)
    labels[:, 0] = 1
    labels[:4, 0] = 0
    parts = split(table(labels))
    assert all((labels[parts.rows(name), 0] == 0).any() for name in ("train", "test"))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 12))
def test_no_group_is_on_two_sides(seed: int, size: int) -> None:
    labels = labelled(240, seed)
    groups = [f"g{i // size}" for i in range(240)]
    try:
        names = split(table(labels, groups)).names
    except DataError:
        return  # a label that one group alone carries
    assert len({(g, n) for g, n in zip(groups, names, strict=True)}) == len(set(groups))


def test_groups_still_follow_the_shares() -> None:
    labels = labelled(3000)
    groups = np.array([f"g{i // 5}" for i in range(3000)])
    dealt = shares(deal_iteratively(labels, groups, FRACTIONS, 0), labels)
    assert np.abs(dealt[:, :6] - SHARES[:, None]).max() < 0.03


def test_folds_share_out_the_test_pictures() -> None:
    dataset = table(labelled(300))
    tests = [split(dataset, fold=(i, 5)).rows("test") for i in range(1, 6)]
    assert sorted(np.concatenate(tests).tolist()) == list(range(300))


def test_numbers_are_split_by_their_ranges() -> None:
    values = np.random.default_rng(0).lognormal(0, 1, (1000, 1))
    parts = split(table(values))
    assert parts.rule.startswith("Drawn stratified by ranges of the numbers")
    for name, share in FRACTIONS.items():
        rows = parts.rows(name)
        assert len(rows) == pytest.approx(1000 * share, abs=6)
        deciles = np.searchsorted(np.quantile(values, np.linspace(0, 1, 11)[1:-1]), values[rows, 0])
        assert np.bincount(deciles, minlength=10) == pytest.approx(100 * share, abs=2)


def test_the_split_is_fixed_by_its_seed() -> None:
    dataset = table(labelled(100))
    assert (split(dataset).names == split(dataset).names).all()
    assert (split(dataset).names != split(dataset, seed=1).names).any()
