"""Rows drawn so that classes come equally often."""

import numpy as np
import pytest
import torch

from sightline.classifier import from_arrays
from sightline.data.batches import Batches
from sightline.data.preprocess import Preprocessing
from sightline.data.sampling import balanced, copies

ROWS, CLASSES = np.arange(100, 200), np.repeat([0, 2, 5], [90, 9, 1])


def test_every_class_comes_equally_often_and_nothing_once_more_than_its_like() -> None:
    found = balanced(ROWS, CLASSES, 0, 1)
    assert len(found) == len(ROWS)
    each = np.bincount(found - 100, minlength=100)
    assert sorted(each[k == CLASSES].sum() for k in (0, 2, 5)) == [33, 33, 34]
    assert all(np.ptp(each[k == CLASSES]) <= 1 for k in (0, 2, 5))


def test_it_is_a_function_of_seed_and_epoch() -> None:
    first, again, later, other = (balanced(ROWS, CLASSES, *of) for of in ((3, 1), (3, 1), (3, 2), (4, 1)))
    assert np.array_equal(first, again)
    assert not np.array_equal(np.sort(first), np.sort(later)) and not np.array_equal(np.sort(first), np.sort(other))


def test_more_classes_than_rows_of_each() -> None:
    assert sorted(balanced(np.arange(3), np.array([4, 7, 9]), 0, 0)) == [0, 1, 2]


@pytest.mark.parametrize("rows", [[], [5], [7, 5, 7, 7, 5, 1]])
def test_copies_count_what_came_before(rows: list[int]) -> None:
    assert copies(np.array(rows, np.intp)).tolist() == [rows[:i].count(row) for i, row in enumerate(rows)]


@pytest.mark.parametrize("num_parts", [1, 3])
def test_a_picture_that_comes_again_is_augmented_otherwise(num_parts: int) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), np.uint8)
    dataset = from_arrays(pictures, ["rare" if i == 0 else "common" for i in range(40)])

    def made(**other: object) -> Batches:
        return Batches(
            dataset, np.arange(40), pictures, Preprocessing(16, 16, 3, "crop", 1.0, mean=(0.5,) * 3, std=(0.5,) * 3),
            ("pad_crop",), 10, 0, num_workers=0, is_balanced=True, **other,  # type: ignore[arg-type]
        )  # fmt: skip

    batches = [batch for rank in range(num_parts) for batch in made(part=(rank, num_parts)).epoch(1)]
    labels = np.concatenate([b.labels for b in batches])
    assert (labels == labels[0]).sum() == 20 and sum(len(b.rows) for b in batches) == 40
    alone = sorted(image.numpy().tobytes() for b in made().epoch(1) for image in b.images)
    assert sorted(image.numpy().tobytes() for b in batches for image in b.images) == alone
    rare = [image.numpy().tobytes() for b in made().epoch(1) for image in b.images[torch.from_numpy(b.rows == 0)]]
    assert len(rare) == 20 and len(set(rare)) > 5
