"""Pictures drawn: each class in its share, by the seed alone."""

import numpy as np

from sightline.evaluation.drawing import drawn


def test_each_class_has_its_share_within_one_picture() -> None:
    labels = np.repeat([0, 1, 2, 3], [500, 250, 249, 1])
    for seed in range(5):
        places = drawn(labels, 100, seed)
        assert len(np.unique(places)) == 100 and (np.diff(places) > 0).all()
        assert abs(np.bincount(labels[places], minlength=4) - np.array([50, 25, 24.9, 0.1])).max() <= 1


def test_chance_is_the_seeds_and_reaches_every_picture() -> None:
    labels = np.repeat([0, 1], 30)
    assert np.array_equal(drawn(labels, 12, 3), drawn(labels, 12, 3))
    seen = np.concatenate([drawn(labels, 12, seed) for seed in range(100)])
    counts = np.bincount(seen, minlength=60)
    assert counts.min() >= 6 and counts.max() <= 40  # 20 are expected


def test_all_of_them_where_there_are_no_more() -> None:
    assert drawn(np.array([1, 0, 1]), 500, 0).tolist() == [0, 1, 2]
    assert len(drawn(np.zeros((40, 3), np.uint8), 10, 0)) == 10
    assert len(drawn(np.array([0, 1]), 0, 0)) == 0
