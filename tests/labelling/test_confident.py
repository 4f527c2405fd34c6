"""Confident learning: hand-computed cells, the paper's equations in a loop beside the arrays, known noise found."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from sightline.labelling import confident

Floats, Ints = NDArray[np.float64], NDArray[np.int64]

# Six pictures of two classes. Thresholds: (0.9 + 0.8 + 0.1) / 3 = 0.6 and (0.7 + 0.9 + 0.2) / 3 = 0.6.
SURE_OF_FIRST = np.array([0.9, 0.8, 0.1, 0.3, 0.1, 0.8])
PROBABILITIES = np.stack([SURE_OF_FIRST, 1 - SURE_OF_FIRST], 1)
LABELS = np.array([0, 0, 0, 1, 1, 1])


def drawn(num: int, num_classes: int, noise: float, seed: int = 0) -> tuple[Floats, Ints, NDArray[np.bool_]]:
    """Probabilities that know the truth fairly well, labels of which a share is another class's, and which."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, num_classes, num)
    wrong = generator.random(num) < noise
    labels = np.where(wrong, (truth + generator.integers(1, num_classes, num)) % num_classes, truth)
    scores = 2 * generator.normal(size=(num, num_classes))
    scores[np.arange(num), truth] += 7
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True), labels, wrong


def test_thresholds_and_joint_by_hand() -> None:
    assert confident.thresholds(PROBABILITIES, LABELS) == pytest.approx([0.6, 0.6])
    assert confident.confident_classes(PROBABILITIES, LABELS).tolist() == [0, 0, 1, 1, 1, 0]
    assert confident.confident_joint(PROBABILITIES, LABELS).tolist() == [[2, 1], [1, 2]]


def test_a_picture_that_is_sure_of_nothing_does_not_count() -> None:
    probabilities = np.vstack([PROBABILITIES, [[0.55, 0.45]]])
    labels = np.append(LABELS, 1)  # the threshold of 1 falls to 0.5625, that of 0 stays
    assert confident.confident_classes(probabilities, labels)[-1] == -1


def test_the_estimate_has_as_many_pictures_of_a_class_as_there_are() -> None:
    joint = np.array([[8, 2], [0, 5]])
    labels = np.repeat([0, 1], [20, 30])
    assert confident.estimated(joint, labels) == pytest.approx(np.array([[16, 4], [0, 30]]))


@pytest.mark.parametrize(
    "method", [confident.by_noise_rate, confident.by_class, confident.by_both, confident.by_confident_joint]
)
def test_all_methods_find_the_two_and_known_noise(method: Callable[[Floats, Ints], NDArray[np.bool_]]) -> None:
    assert np.flatnonzero(method(PROBABILITIES, LABELS)).tolist() == [2, 5]
    probabilities, labels, wrong = drawn(4000, 6, 0.05)
    found = method(probabilities, labels)
    assert wrong[found].mean() > 0.85 and found[wrong].mean() > 0.7
    assert not (found & (probabilities.argmax(axis=1) == labels)).any()


@pytest.mark.parametrize("seed", range(5))
def test_arrays_and_loops_agree(seed: int) -> None:
    """The methods of the paper, written as it tells them."""
    probabilities, labels, _ = drawn(300, 5, 0.1, seed)
    limits = [np.mean([p[k] for p, y in zip(probabilities, labels, strict=True) if y == k]) for k in range(5)]
    joint = np.zeros((5, 5), int)
    for p, y in zip(probabilities, labels, strict=True):
        sure = [k for k in range(5) if p[k] >= limits[k]]
        if sure:
            joint[y, max(sure, key=lambda k: p[k])] += 1
    assert confident.confident_joint(probabilities, labels).tolist() == joint.tolist()
    wanted = confident._whole(confident.estimated(joint, labels))
    assert wanted.sum(axis=1).tolist() == np.bincount(labels).tolist()
    by_rate, by_class = set[int](), set[int]()
    for i in range(5):
        rows = np.flatnonzero(labels == i).tolist()
        by_class |= set(sorted(rows, key=lambda r: probabilities[r, i])[: wanted[i].sum() - wanted[i, i]])
        for j in set(range(5)) - {i}:
            by_margin = sorted(rows, key=lambda r: probabilities[r, i] - probabilities[r, j])
            by_rate |= set(by_margin[: wanted[i, j]])
    other = set(np.flatnonzero(probabilities.argmax(axis=1) != labels).tolist())
    assert set(np.flatnonzero(confident.by_noise_rate(probabilities, labels)).tolist()) == by_rate & other
    assert set(np.flatnonzero(confident.by_class(probabilities, labels)).tolist()) == by_class & other


def test_a_class_that_none_is_sure_of_is_not_all_wrong() -> None:
    """Its own pictures are all more surely another's: the joint keeps one of them, and nothing divides by zero."""
    probabilities = np.array([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [0.9, 0.06, 0.04], [0.2, 0.8, 0.0]])
    labels = np.array([0, 0, 2, 1])
    assert confident.confident_joint(probabilities, labels)[2].tolist() == [1, 0, 1]
    assert np.isfinite(confident.estimated(confident.confident_joint(probabilities, labels), labels)).all()


def test_what_is_suggested_is_never_the_label() -> None:
    assert confident.suggested(np.array([[0.7, 0.2, 0.1], [0.7, 0.1, 0.2]]), np.array([0, 1])).tolist() == [1, 0]


def test_whole_numbers_keep_their_sums() -> None:
    assert confident._whole(np.array([[1.6, 1.6, 0.8], [0.5, 0.25, 0.25]])).tolist() == [[2, 1, 1], [1, 0, 0]]


def test_the_number_of_wrong_labels_and_its_interval() -> None:
    """Against the mean over as many draws of pictures: 95 % of the intervals hold it, and hardly all do."""
    found = [confident.num_wrong(*drawn(600, 4, 0.06, seed)[:2]) for seed in range(300)]
    mean = np.mean([one.value for one in found])
    held = np.mean([low <= mean <= high for low, high in (one.interval for one in found)])
    assert 30 < mean < 45
    assert 0.91 <= held <= 0.99


def test_copies_in_one_group_tell_no_more_than_one() -> None:
    probabilities, labels, _ = drawn(400, 4, 0.06)
    alone = confident.num_wrong(probabilities, labels)
    four, of_four = np.repeat(probabilities, 4, axis=0), np.repeat(labels, 4)
    apart = confident.num_wrong(four, of_four)
    together = confident.num_wrong(four, of_four, np.repeat(np.arange(400), 4))
    assert together.value == pytest.approx(4 * alone.value)
    assert together.interval == pytest.approx([4 * end for end in alone.interval], rel=0.02)
    assert np.diff(apart.interval) < 0.6 * np.diff(together.interval)


def test_no_wrong_label_is_not_none_for_certain() -> None:
    probabilities = np.repeat([[0.9, 0.1], [0.1, 0.9]], 50, axis=0)
    found = confident.num_wrong(probabilities, np.repeat([0, 1], 50))
    assert found.value == 0 and found.interval[0] == 0 and 3 < found.interval[1] < 4.5  # Wilson: 3.7 of 100
