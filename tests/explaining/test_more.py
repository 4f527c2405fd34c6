"""By example: what changes an answer, which training pictures are alike, which are typical."""

from pathlib import Path

import numpy as np
import pytest
from tests.robustness.conftest import patches

from sightline.data.warp import Floats
from sightline.explaining import Explainer
from sightline.explaining.alike import Memory, chosen
from sightline.explaining.more import more
from sightline.explaining.region import smallest

BLANK = np.zeros(3, np.float32)


def needs_two_places(pixels: Floats) -> Floats:
    """Class 1 as long as either of two squares is bright; else class 0."""
    bright = [(pixels[:, rows, columns].mean(axis=(1, 2, 3)) > 50) for rows, columns in PLACES]
    return np.stack([np.full(len(pixels), 0.5), bright[0] | bright[1]], axis=1).astype(np.float32)


PLACES = [(slice(2, 6), slice(4, 8)), (slice(20, 24), slice(24, 28))]


def test_the_part_that_changes_the_answer_is_both_places_and_no_more() -> None:
    picture = np.full((32, 32, 3), 200, np.float32)
    values = np.zeros((32, 32), np.float32)
    for rows, columns in PLACES:
        values[rows, columns] = 1
    values[10:14, 10:14] = 0.5  # which the map shows too, and nothing hangs on
    found = smallest(picture, values, BLANK, needs_two_places)
    assert found is not None and found.becomes == 0
    blanked = picture.copy()
    blanked[found.mask] = 0
    assert needs_two_places(blanked[None]).argmax() == 0
    assert found.share == pytest.approx(2 * 12 / 1024, abs=0.012)  # three quarters of each make it dark
    assert not found.mask[10:14, 10:14].any()


def test_a_map_that_is_wrong_finds_a_larger_part() -> None:
    picture, values = np.full((32, 32, 3), 200, np.float32), np.zeros((32, 32), np.float32)
    right = values.copy()
    for rows, columns in PLACES:
        right[rows, columns] = 1
    shares = [smallest(picture, one, BLANK, needs_two_places) for one in (right, 1 - right)]
    assert shares[0] is not None and shares[1] is not None and shares[0].share <= shares[1].share
    assert needs_two_places(np.where(shares[1].mask[..., None], 0, picture)[None].astype(np.float32)).argmax() == 0


def test_where_a_blank_picture_is_answered_so_too_there_is_none() -> None:
    picture, values = np.full((8, 8, 3), 200, np.float32), np.ones((8, 8), np.float32)
    assert smallest(picture, values, BLANK, lambda pixels: np.tile(np.float32([1, 0]), (len(pixels), 1))) is None


def test_prototypes_stand_for_every_cluster_and_criticisms_lie_beside() -> None:
    random = np.random.default_rng(0)
    centres = np.array([[5, 0, 0], [0, 5, 0], [0, 0, 5]], np.float32)
    cluster = np.repeat(np.arange(3), 20)
    features = centres[cluster] + random.normal(0, 0.3, (60, 3)).astype(np.float32)
    features = np.concatenate([features, [[-6, -6, -6]]]).astype(np.float32)
    prototypes, criticisms = chosen(features)
    assert {int(cluster[place]) for place in prototypes if place < 60} == {0, 1, 2}
    assert len(set(prototypes) | set(criticisms)) == 8 and not set(prototypes) & set(criticisms)
    few, odd = chosen(features[:2])
    assert sorted([*few, *odd]) == [0, 1]


@pytest.fixture(scope="module")
def memory(single: Path) -> Memory:
    return Memory.of(single, Explainer.open(single).predictor)


def test_alike_pictures_are_of_the_same_kind(single: Path, memory: Memory) -> None:
    explainer = Explainer.open(single)
    for top in (True, False):
        (one,) = explainer.explain(np.asarray(patches(top, not top, 7700 + top)))
        found = more(explainer, memory, one)
        label = one.answer.label  # type: ignore[union-attr]
        assert all(memory.dataset.label_text(row) == label for row, _ in found.alike.own)
        assert all(memory.dataset.label_text(row) != label for row, _ in found.alike.others)
        assert found.alike.share > 0.7 and found.alike.own[0][1] >= found.alike.own[-1][1] > found.alike.others[0][1]
        document = found.to_json(memory)
        assert document["alike"][0]["label"] == label and document["share"] == found.alike.share
        if found.region is not None:
            assert found.becomes != label and 0 < found.region.share < 0.7
            drawn = np.asarray(one.outlined(found.region.mask))
            assert (drawn == 255).all(axis=2).any() and drawn.shape[0] >= 224


def test_a_training_picture_is_most_alike_to_itself(single: Path, memory: Memory) -> None:
    explainer = Explainer.open(single)
    row = int(memory.rows[3])
    (one,) = explainer.explain(memory.dataset.images.pixels(row))
    found = more(explainer, memory, one)
    nearest = max((*found.alike.own, *found.alike.others), key=lambda pair: pair[1])
    assert nearest == (row, pytest.approx(1, abs=1e-4))


def test_typical_pictures_are_of_the_class(memory: Memory) -> None:
    for label in range(2):
        prototypes, criticisms = memory.typical(label)
        assert len(prototypes) == len(criticisms) == 4
        assert {int(memory.dataset.labels[row]) for row in (*prototypes, *criticisms)} == {label}
