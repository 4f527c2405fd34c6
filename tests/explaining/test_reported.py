"""What reports show of why: maps over the worst mistakes, a sentence on how true they are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sightline.data import open_dataset
from sightline.evaluation.evaluate import Evaluation, evaluate
from sightline.explaining.reported import reported
from sightline.predictor import Predictor


@pytest.fixture(scope="module")
def tested(single: Path) -> tuple[Predictor, Evaluation]:
    predictor, dataset = Predictor.open(single), open_dataset(single.parent / "more")
    found = evaluate(predictor, dataset, np.arange(len(dataset)), "test")
    return predictor, replace(found, decided=found.labels.astype(np.int64))


def test_a_perfect_test_has_nothing_to_show(tested: tuple[Predictor, Evaluation]) -> None:
    assert reported(*tested, is_measured=True) == ({}, "")


@pytest.mark.parametrize("is_measured", [True, False])
def test_mistakes_have_maps(tested: tuple[Predictor, Evaluation], is_measured: bool) -> None:
    predictor, perfect = tested
    wrong = perfect.decided.copy()
    wrong[:3] = 1 - wrong[:3]
    maps, said = reported(predictor, replace(perfect, decided=wrong), is_measured)
    assert perfect.dataset is not None
    assert sorted(maps) == sorted(perfect.dataset.paths[row] for row in range(3))
    assert all(one.image.startswith((b"\xff\xd8", b"\x89PNG")) for one in maps.values())
    assert "HiResCAM" in said and ("a map of the middle" in said) == is_measured
