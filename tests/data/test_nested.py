"""Parts within parts: every class in its share and in all of them, groups whole."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.data.dataset import ArrayImages, Dataset
from sightline.data.nested import nested

from .test_split import table

SHARES = (1 / 8, 1 / 4, 1 / 2, 1.0)


def test_every_class_is_in_its_share_and_each_part_within_the_next() -> None:
    dataset = table([0] * 800 + [1] * 80 + [2] * 3)
    rows = np.arange(0, len(dataset), 1)[::-1][:850][::-1]  # not the first ones
    parts = nested(dataset, rows, SHARES)
    for share, part, larger in zip(SHARES, parts, [*parts[1:], rows], strict=True):
        assert (np.diff(part) > 0).all() and set(part.tolist()) <= set(larger.tolist())
        counts = np.bincount(dataset.labels[part], minlength=3)
        assert counts[0] == pytest.approx(share * 767, abs=1) and counts[1] == pytest.approx(share * 80, abs=1)
        assert counts[2] >= 1, "a class of three pictures trains in all of them"
    assert parts[-1].tolist() == rows.tolist()


def test_a_last_part_may_be_less_than_all_and_the_seed_counts() -> None:
    dataset = table([0, 1] * 200)
    (part,) = nested(dataset, np.arange(400), (0.25,))
    assert len(part) == 100 and np.bincount(dataset.labels[part]).tolist() == [50, 50]
    assert part.tolist() == nested(dataset, np.arange(400), (0.25,))[0].tolist()
    assert part.tolist() != nested(dataset, np.arange(400), (0.25,), seed=1)[0].tolist()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 25)), min_size=40, max_size=200))
def test_groups_are_never_parted_and_no_class_is_lost(rows: list[tuple[int, int]]) -> None:
    labels = np.unique([k for k, _ in rows], return_inverse=True)[1].tolist()
    groups = [f"g{g}" for _, g in rows]
    dataset = table(labels, groups)
    before: set[int] = set()
    for part in nested(dataset, np.arange(len(rows)), SHARES):
        inside = {groups[row] for row in part.tolist()}
        assert part.tolist() == [row for row, group in enumerate(groups) if group in inside]
        assert {labels[row] for row in part.tolist()} == set(labels)
        assert before <= set(part.tolist())
        before = set(part.tolist())


def test_a_class_that_lies_in_one_small_group_comes_with_all_of_it() -> None:
    """It is the majority of none, so dealing the groups does not see it."""
    labels, groups = [0] * 64 + [0, 0, 1], [f"g{i // 4}" for i in range(64)] + ["x"] * 3
    for seed in range(5):
        part, *_ = nested(table(labels, groups), np.arange(67), SHARES, seed)
        assert {64, 65, 66} <= set(part.tolist())


def test_groups_follow_the_shares() -> None:
    labels = [k for k in range(5) for _ in range(200)]
    dataset = table(labels, [f"g{k}-{i // 4}" for k in range(5) for i in range(200)])
    for share, part in zip(SHARES, nested(dataset, np.arange(1000), SHARES), strict=True):
        assert np.abs(np.bincount(dataset.labels[part]) - 200 * share).max() <= 4


@pytest.mark.parametrize("kind", ["multi", "number"])
def test_several_labels_and_numbers(kind: str) -> None:
    generator = np.random.default_rng(0)
    labels = (
        (generator.random((400, 3)) < (0.5, 0.1, 0.01)).astype(np.uint8)
        if kind == "multi"
        else generator.random((400, 1))
    )
    images = ArrayImages(np.zeros((400, 2, 2, 1), np.uint8))
    names = ("a", "b", "c") if kind == "multi" else ("length",)
    dataset = Dataset("here", "test", images, [f"p{i}" for i in range(400)], labels, names)
    parts = nested(dataset, np.arange(400), SHARES)
    assert [len(part) for part in parts] == pytest.approx([50, 100, 200, 400], abs=3)
    for part, larger in pairwise(parts):
        assert set(part.tolist()) <= set(larger.tolist())
    if kind == "multi":
        assert labels[parts[0]].sum(axis=0).min() >= 1
    else:
        assert labels[parts[0]].mean() == pytest.approx(labels.mean(), abs=0.05)
