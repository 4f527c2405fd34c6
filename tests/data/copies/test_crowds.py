"""Sets whose pictures all look alike: told from those with many copies, and what a copy may leave found by counting."""

import numpy as np
import pytest

from sightline.data.copies.crowds import FALSE_SHARE, ORDINARY, most_unexplained


def look_alikes(generator: np.random.Generator, num_pairs: int, power: float) -> np.ndarray:
    """What look-alikes leave: below u there are num_pairs * (u / ORDINARY)**power pairs."""
    return (ORDINARY * generator.random(num_pairs) ** (1 / power)).astype(np.float32)


def most_of(unexplained: np.ndarray, num_sampled: int, num: int) -> float | None:
    return most_unexplained(unexplained, np.ones(len(unexplained), bool), num_sampled, num)


@pytest.mark.parametrize("power", [2.0, 3.0, 4.0])
def test_a_crowd_is_allowed_one_look_alike_in_a_thousand_pictures(power: float) -> None:
    """20,000 pairs among 5,000 pictures: 5 are allowed, so u**power is 1 / 4,000 of ORDINARY**power."""
    most = most_of(look_alikes(np.random.default_rng(0), 20_000, power), 5_000, 5_000)
    assert most == pytest.approx(ORDINARY * (FALSE_SHARE * 5_000 / 20_000) ** (1 / power), rel=0.25)


def test_a_larger_set_has_more_look_alikes_a_picture_and_allows_less() -> None:
    """Ten times the pictures are a hundred times the pairs and ten times the allowed: a tenth of u**power."""
    unexplained = look_alikes(np.random.default_rng(0), 20_000, 3.0)
    small, large = most_of(unexplained, 5_000, 5_000), most_of(unexplained, 5_000, 50_000)
    assert small is not None and large == pytest.approx(small * 0.1 ** (1 / 3), rel=1e-6)


def test_copies_among_the_look_alikes_change_it_little() -> None:
    unexplained = look_alikes(np.random.default_rng(0), 20_000, 3.0)
    copies = np.random.default_rng(1).uniform(0, 0.003, 500).astype(np.float32)
    without, with_copies = (
        most_of(unexplained, 5_000, 5_000),
        most_of(np.concatenate([unexplained, copies]), 5_000, 5_000),
    )
    assert without is not None and with_copies == pytest.approx(without, rel=0.35)


def test_pairs_that_are_not_asked_leave_room_for_more() -> None:
    unexplained = look_alikes(np.random.default_rng(0), 20_000, 3.0)
    every_eighth = np.arange(20_000) % 8 == 0
    every, some = most_of(unexplained, 5_000, 5_000), most_unexplained(unexplained, every_eighth, 5_000, 5_000)
    assert every is not None and some == pytest.approx(2 * every, rel=1e-6)  # 8 ** (1 / power), power near 3


def test_ordinary_sets_are_no_crowds() -> None:
    generator = np.random.default_rng(0)
    copies = generator.uniform(0, 0.02, 20_000).astype(np.float32)
    assert most_of(copies, 5_000, 5_000) is None  # everything is there four times
    film = look_alikes(generator, 20_000, 0.5)
    assert most_of(film, 5_000, 5_000) is None  # frames that follow each other
    few = look_alikes(generator, 4_000, 3.0)
    assert most_of(few, 5_000, 5_000) is None  # less than two a picture
    assert most_of(np.zeros(0, np.float32), 0, 0) is None
