"""Colours: as light as the value is large, told apart by all, within what a screen shows."""

import numpy as np
import pytest

from sightline.explaining.colours import _BALANCED, _RISING, coloured, srgb

# Machado, Oliveira and Fernandes, 2009: what linear RGB looks like to people who lack one kind of cone.
BLIND = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "all": np.eye(3),
}


def linear(colours: np.ndarray) -> np.ndarray:
    share = colours / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("eyes", BLIND)
def test_every_step_is_lighter_for_all_eyes(eyes: str) -> None:
    values = np.linspace(0, 1, 64, dtype=np.float32)[None]
    seen = linear(coloured(values, False)[0]) @ np.array(BLIND[eyes]).T
    luminance = seen @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) > 0).all()


@pytest.mark.parametrize("eyes", BLIND)
def test_for_and_against_look_different_and_equally_strong(eyes: str) -> None:
    values = np.linspace(0.1, 1, 10, dtype=np.float32)
    sides = [linear(coloured(side[None], True)[0]) @ np.array(BLIND[eyes]).T for side in (values, -values)]
    assert (np.abs(sides[0] - sides[1]).max(axis=1) > 0.02).all()
    if eyes == "all":
        first, second = (side @ [0.2126, 0.7152, 0.0722] for side in sides)
        np.testing.assert_allclose(first, second, rtol=0.15)


@pytest.mark.parametrize("table", [_RISING, _BALANCED])
def test_steps_look_equally_large_and_a_screen_shows_them(table: np.ndarray) -> None:
    lightness = np.abs(np.diff(table[:, 0]))
    np.testing.assert_allclose(lightness, lightness[0], rtol=1e-6)
    places = np.linspace(0, len(table) - 1, 50)
    points = np.stack([np.interp(places, np.arange(len(table)), table[:, i]) for i in range(3)], axis=1)
    shown = srgb(points)
    back = _oklab(linear(255 * shown))
    assert np.abs(back - points).max() < 0.02  # nothing much was cut off


def _oklab(rgb: np.ndarray) -> np.ndarray:
    """Ottosson, 2020, the other way."""
    to_cones = [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
                [0.0883024619, 0.2817188376, 0.6299787005]]  # fmt: skip
    to_lab = [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
              [0.0259040371, 0.7827717662, -0.8086757660]]  # fmt: skip
    return np.asarray(np.cbrt(rgb @ np.array(to_cones).T) @ np.array(to_lab).T)


def test_what_lies_beyond_is_taken_for_the_end() -> None:
    values = np.array([[-3.0, -1.0, 1.0, 3.0]], np.float32)
    signed, rising = coloured(values, True)[0], coloured(values, False)[0]
    assert (signed[0] == signed[1]).all() and (signed[2] == signed[3]).all()
    assert (rising[0] == rising[1]).all() and (rising[2] == rising[3]).all()
