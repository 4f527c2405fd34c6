"""Pixels moved: by whole pixels and quarter turns exactly, and mirrored beyond the edges."""

import numpy as np
import pytest

from sightline.data.warp import mirrored, moved, sampled, stretched

SQUARE = np.random.default_rng(0).random((6, 6, 2)).astype(np.float32)


def test_places_beyond_the_edges_are_folded_back() -> None:
    assert mirrored(np.arange(-4, 7), 3).tolist() == [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0]
    assert mirrored(np.array([-0.5, -1.0, 2.5, 2.25]), 3).tolist() == [0, 0, 2, 2]
    assert mirrored(np.array([-40, 40]), 1).tolist() == [0, 0]


def test_a_shift_by_whole_pixels_takes_what_is_there() -> None:
    found = moved(SQUARE, shift=(2, -1))
    assert np.array_equal(found[2:, :-1], SQUARE[:-2, 1:])
    assert np.array_equal(found[:2, :-1], SQUARE[1::-1, 1:])  # mirrored


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_are_anticlockwise(turns: int) -> None:
    assert np.allclose(moved(SQUARE, degrees=90 * turns), np.rot90(SQUARE, turns), atol=1e-5)


def test_nothing_moved_is_the_picture() -> None:
    assert np.array_equal(moved(SQUARE), SQUARE)
    assert np.array_equal(stretched(SQUARE, 6, 6), SQUARE)


def test_scaled_up_the_middle_is_spread() -> None:
    ramp = np.arange(9, dtype=np.float32)[None, :, None].repeat(9, axis=0)
    assert np.allclose(moved(ramp, scale=2.0)[4, :, 0], 4 + (np.arange(9) - 4) / 2)
    assert np.allclose(stretched(ramp, 9, 9, zoom=2.0)[4, :, 0], 4 + (np.arange(9) - 4) / 2)
    assert np.allclose(stretched(ramp, 17, 17)[0, :, 0], np.arange(17) / 2)


def test_between_pixels_is_their_weighted_mean() -> None:
    image = np.array([[0, 10], [20, 70]], np.float32)[:, :, None]
    assert sampled(image, np.array([[0.5]]), np.array([[0.25]]))[0, 0, 0] == pytest.approx(0.5 * 2.5 + 0.5 * 32.5)
