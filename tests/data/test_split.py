"""Splits: stratified, by group, as given, in folds; never a group on two sides."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.data.dataset import ArrayImages, Dataset
from sightline.data.split import FRACTIONS, folds, split
from sightline.errors import ConfigError, DataError


def table(labels: list[int], groups: list[str] | None = None, splits: list[str] | None = None) -> Dataset:
    images = ArrayImages(np.zeros((len(labels), 2, 2, 1), np.uint8))
    classes = tuple(f"c{k}" for k in range(max(labels) + 1))
    paths = [f"p{i}" for i in range(len(labels))]
    return Dataset("here", "test", images, paths, np.array(labels), classes, groups, splits)


def test_every_class_is_divided_by_the_fractions() -> None:
    dataset = table([0] * 1000 + [1] * 200 + [2] * 40)
    counts = split(dataset).counts(dataset.labels, 3)
    for name, share in FRACTIONS.items():
        assert counts[name].tolist() == pytest.approx([1000 * share, 200 * share, 40 * share], abs=1)


def test_the_split_is_fixed_by_its_seed() -> None:
    dataset = table([0, 1] * 50)
    assert (split(dataset).names == split(dataset).names).all()
    assert (split(dataset).names != split(dataset, seed=1).names).any()


@pytest.mark.parametrize("count", range(2, 12))
def test_small_classes_are_in_train_and_test(count: int) -> None:
    dataset = table([0] * count + [1] * 100)
    counts = split(dataset).counts(dataset.labels, 2)
    assert counts["train"][0] >= 1 and counts["test"][0] >= 1
    assert sum(c[0] for c in counts.values()) == count


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 15)), min_size=30, max_size=200))
def test_no_group_is_on_two_sides(rows: list[tuple[int, int]]) -> None:
    labels, groups = [k for k, _ in rows] + [0, 0, 1, 1], [f"g{g}" for _, g in rows] + ["x", "y", "x", "z"]
    labels = list(np.unique(labels, return_inverse=True)[1])
    try:
        names = split(table(labels, groups)).names
    except DataError:
        return  # a class of one picture or of one group, said so
    sides = {(g, n) for g, n in zip(groups, names, strict=True)}
    assert len(sides) == len(set(groups))


def test_groups_still_follow_the_fractions() -> None:
    labels = [k for k in range(5) for _ in range(200)]
    groups = [f"g{k}-{i // 4}" for k in range(5) for i in range(200)]
    dataset = table(labels, groups)
    counts = split(dataset).counts(dataset.labels, 5)
    for name, share in FRACTIONS.items():
        assert np.abs(counts[name] - 200 * share).max() <= 4


def test_val_alone_is_the_test() -> None:
    dataset = table([0, 1] * 100, splits=["train"] * 150 + ["val"] * 50)
    parts = split(dataset)
    assert parts.rows("test").tolist() == list(range(150, 200))
    assert [len(parts.rows(name)) for name in ("val", "calibration")] == pytest.approx([15, 15], abs=1)
    assert "its val is the test" in parts.rule


def test_test_is_kept_and_val_and_calibration_come_out_of_train() -> None:
    dataset = table([0, 1] * 100, splits=["train"] * 150 + ["test"] * 50)
    parts = split(dataset)
    assert parts.rows("test").tolist() == list(range(150, 200))
    assert parts.rows("val").max() < 150 and parts.rows("calibration").max() < 150


def test_all_given_splits_are_kept() -> None:
    names = (["train"] * 7 + ["val"] + ["calibration"] + ["test"]) * 4
    assert split(table([0, 1] * 20, splits=names)).names.tolist() == names


def test_what_is_held_out_of_a_large_train_split_is_bounded() -> None:
    dataset = table([0, 1] * 50_000, splits=["train"] * 90_000 + ["test"] * 10_000)
    assert len(split(dataset).rows("val")) == pytest.approx(2500, abs=2)


def test_folds_share_out_the_test_pictures() -> None:
    dataset = table([0, 1, 2] * 40)
    tests = [set(split(dataset, fold=(i, 5)).rows("test")) for i in range(1, 6)]
    assert set.union(*tests) == set(range(120))
    assert sum(map(len, tests)) == 120


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        (table([0] * 9), "one class only"),
        (table([0, 0, 0, 1]), r"too few pictures .* 'c1' \(1\)"),
        (table([0, 0, 1, 1, 1], ["a", "b", "c", "c", "c"]), "'c1' belong to one group"),
        (table([0, 1] * 2, splits=["train", "test"] * 2), "no picture of 'c1' falls into the train split"),
        (table([0, 1] * 2, splits=["train"] * 4), "train split only"),
        (table([0, 1] * 2, splits=["test"] * 4), "no train split"),
        (table([0, 1, 0, 1], ["a", "b", "a", "b"], ["train", "train", "test", "test"]), "parts 2 groups"),
    ],
)
def test_what_cannot_be_split_is_said(dataset: Dataset, words: str) -> None:
    with pytest.raises(DataError, match=words):
        split(dataset)


def test_a_fold_of_a_data_set_with_its_own_split_is_refused() -> None:
    with pytest.raises(DataError, match="--fold would override"):
        split(table([0, 1] * 4, splits=["train", "train", "test", "test"] * 2), fold=(1, 2))
    with pytest.raises(ConfigError, match="I/K"):
        split(table([0, 1] * 4), fold=(3, 2))


@pytest.mark.parametrize("count", [3, 4, 5, 6, 7, 10])
def test_of_many_small_classes_every_part_gets_its_share(count: int) -> None:
    dataset = table([k for k in range(200) for _ in range(count)])
    counts = split(dataset).counts(dataset.labels, 200)
    for name in ("val", "calibration"):
        assert counts[name].sum() > 0.5 * FRACTIONS[name] * len(dataset), name
    assert (counts["train"] >= 1).all() and (counts["test"] >= 1).all()
    assert counts["test"].sum() >= 0.9 * FRACTIONS["test"] * len(dataset)


def test_folds_of_small_classes_are_equal_parts() -> None:
    dataset = table([k for k in range(50) for _ in range(3)] + [50] * 10)
    found = np.bincount(folds(dataset, 5))[1:]
    assert found.sum() == 160 and np.ptp(found) <= 4


@pytest.mark.parametrize("seed", range(20))
def test_a_rare_class_in_mixed_groups_trains_and_is_tested(seed: int) -> None:
    """As a finding that two to five patients of many have once each, among others."""
    generator = np.random.default_rng(seed)
    groups = np.repeat(np.arange(25), generator.integers(4, 13, 25))
    labels = np.zeros(len(groups), int)
    for group in generator.permutation(25)[: generator.integers(2, 6)]:
        labels[np.flatnonzero(groups == group)[0]] = 1
    dataset = table(labels.tolist(), [f"g{g}" for g in groups])
    parts = split(dataset)
    counts = parts.counts(dataset.labels, 2)
    assert counts["train"][1] >= 1 and counts["test"][1] >= 1
    assert len({(g, n) for g, n in zip(groups, parts.names, strict=True)}) == 25
