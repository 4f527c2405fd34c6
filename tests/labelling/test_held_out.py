"""Answers held out: no picture is answered by a head that saw its label, nor that of its group."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from sightline.classifier import from_arrays
from sightline.data.split import folds
from sightline.errors import DataError
from sightline.labelling import held_out


def unrelated(num: int, copies: int) -> tuple[Tensor, np.ndarray]:
    """Features that say nothing of the labels, `copies` times each picture."""
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(num, 40)).astype(np.float32), generator.integers(0, 2, num)
    return torch.from_numpy(np.repeat(x, copies, axis=0)), np.repeat(y, copies)


def agreement(found: held_out.Answers, y: np.ndarray) -> float:
    return float((found.probabilities.argmax(axis=1) == y).mean())


def test_what_cannot_be_known_is_not_known_unless_copies_part() -> None:
    x, y = unrelated(60, 4)
    pictures = np.zeros((len(y), 8, 8), np.uint8)
    dataset = replace(from_arrays(pictures, y.tolist()), groups=[str(i // 4) for i in range(len(y))])
    together, apart = folds(dataset, 5), np.arange(len(y)) % 5 + 1
    assert all(len(set(together[i : i + 4])) == 1 for i in range(0, len(y), 4))
    assert agreement(held_out.answered(x, [40], y, together, 2), y) < 0.65
    assert agreement(held_out.answered(x, [40], y, apart, 2), y) > 0.9


def test_every_picture_is_answered_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the penalty is chosen by a part of them."""
    generator = np.random.default_rng(1)
    y = generator.integers(0, 3, 200)
    x = torch.from_numpy((np.eye(3)[y] + generator.normal(0, 0.2, (200, 3))).astype(np.float32))
    whole = held_out.answered(x, [3], y, np.arange(200) % 5, 3)
    monkeypatch.setattr(held_out, "MAX_CROSS_VALIDATED", 60)
    part = held_out.answered(x, [3], y, np.arange(200) % 5, 3)
    for found in (whole, part):
        assert agreement(found, y) > 0.95
        assert found.probabilities.sum(axis=1) == pytest.approx(np.ones(200))
    assert "5 heads, each fitted on 4 of 5 parts; they read the last stage" in whole.sentence


def test_stages_are_read_where_the_last_says_nothing() -> None:
    generator = np.random.default_rng(2)
    y = generator.integers(0, 2, 200)
    x = np.concatenate([generator.normal(size=(200, 4)), y[:, None] + generator.normal(0, 0.1, (200, 2))], 1)
    found = held_out.answered(torch.from_numpy(x.astype(np.float32)), [4, 2], y, np.arange(200) % 5, 2)
    assert "all stages" in found.sentence and agreement(found, y) > 0.95


def test_folds_are_equal_parts_of_every_class() -> None:
    dataset = from_arrays(np.zeros((60, 8, 8), np.uint8), ["a"] * 40 + ["b"] * 20)
    of_class = [np.bincount(folds(dataset, 5)[dataset.labels == k], minlength=6)[1:].tolist() for k in (0, 1)]
    assert of_class == [[8] * 5, [4] * 5]
    lonely = replace(from_arrays(np.zeros((8, 8, 8), np.uint8), [*"aaaabbbb"]), groups=[*"11223333"])
    with pytest.raises(DataError, match="all pictures of 'b' belong to one group"):
        folds(lonely, 2)
