"""Measures of faithfulness, on functions whose right map is known, and by hand."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import spearmanr
from tests.explainers.networks import pictures, plain, question

from sightline.data.warp import Floats
from sightline.engines.forgetting import upper_half_forgotten
from sightline.engines.torch import TorchEngine
from sightline.explainers import Subject
from sightline.explaining.faithfulness import (
    MEASURES,
    Asked,
    deletion,
    infidelity,
    insertion,
    pointing,
    randomisation,
    sensitivity,
)
from sightline.explaining.faithfulness._controls import CONTROLS
from sightline.explaining.faithfulness.insertion import blurred

BLANK = np.full(3, 100, np.float32)
WEIGHTS = np.zeros((32, 32), np.float32)
WEIGHTS[4:12, 20:28] = 1 / 64


def bright_there(pixels: Floats) -> Floats:
    """Two classes; the second is the more probable the brighter one square is."""
    score = ((pixels[..., 0] - 100) / 40 * WEIGHTS).sum(axis=(1, 2))
    return np.stack([0 * score, 4 * score - 2], axis=1)


def asked(maps: Floats, randomised: Floats | None = None, changed: Floats | None = None) -> Asked:
    pixels = np.full((len(maps), 32, 32, 3), 100, np.float32)
    pixels[:, 4:12, 20:28] = 140
    subject = Subject(pixels, question(*[1] * len(maps)), BLANK, bright_there)
    return Asked(
        subject,
        maps,
        lambda _: maps if changed is None else changed,
        None if randomised is None else lambda: randomised,
    )


RIGHT = WEIGHTS[None]
WRONG = -WEIGHTS[None]


def test_the_right_map_is_first_by_every_measure() -> None:
    right, wrong, chance = (asked(maps) for maps in (RIGHT, WRONG, CONTROLS["random"](1, 32, 32, 0)))
    for measure in (deletion, insertion, infidelity):
        values = [measure.measure(one)[0] for one in (right, chance, wrong)]
        ordered = values if measure.BETTER == "lower" else [-value for value in values]
        assert ordered[0] < ordered[1] <= ordered[2], measure.__name__
    assert infidelity.measure(right)[0] < 1e-6 and infidelity.measure(wrong)[0] == pytest.approx(1)


def test_deletion_by_hand() -> None:
    """The square is 16 of 256 cells, gone at the first of 16 steps by the right map, at the last by its opposite."""
    whole, gone = (1 / (1 + np.exp(-score)) for score in (2.0, -2.0))
    assert deletion.measure(asked(RIGHT))[0] == pytest.approx((whole / 2 + gone / 2 + 15 * gone) / 16, rel=1e-5)
    assert deletion.measure(asked(WRONG))[0] == pytest.approx((15 * whole + whole / 2 + gone / 2) / 16, rel=1e-5)


def test_fine_maps_gain_nothing_by_scattering_points() -> None:
    """Whole cells are taken away, by their means: a map of every other pixel is the same as a full one."""
    fine = RIGHT * (np.indices((32, 32)).sum(axis=0) % 2)
    assert deletion.measure(asked(fine))[0] == deletion.measure(asked(RIGHT))[0]


def test_sensitivity_is_the_largest_change_as_a_share() -> None:
    maps = np.ones((2, 32, 32), np.float32)
    changed = maps.copy()
    changed[1] *= 1.5
    assert sensitivity.measure(asked(maps, changed=changed)) == pytest.approx([0, 0.5])
    assert sensitivity.measure(asked(0 * maps)) == pytest.approx([0, 0])


def test_randomisation_is_spearmans_correlation_over_cells() -> None:
    random = np.random.default_rng(0)
    first, second = random.normal(size=(2, 3, 32, 32)).astype(np.float32)
    second += first
    one = asked(first, second)
    found = randomisation.measure(one)
    assert found is not None
    expected = [
        spearmanr(a, b).statistic
        for a, b in zip(one.by_cells(np.abs(first)), one.by_cells(np.abs(second)), strict=True)
    ]
    assert found == pytest.approx(expected)
    assert randomisation.measure(asked(first)) is None
    ties = asked(np.round(first), np.round(first))
    assert randomisation.measure(ties) == pytest.approx(np.ones(3))


def test_blur_keeps_the_brightness_and_takes_the_detail() -> None:
    pixels = pictures(2, 40, 60)
    soft = blurred(pixels)
    assert soft.shape == pixels.shape and soft.std() < pixels.std()
    flat = np.full((1, 40, 60, 3), 77, np.float32)
    np.testing.assert_allclose(blurred(flat), flat, rtol=1e-5)


@pytest.mark.parametrize("size", [(5, 7), (32, 48), (224, 224)])
def test_cells_cover_all_and_controls_have_the_shape(size: tuple[int, int]) -> None:
    maps = np.ones((1, *size), np.float32)
    subject = Subject(np.zeros((1, *size, 3), np.float32), question(1), BLANK, bright_there)
    one = Asked(subject, maps, lambda _: maps, None)
    cells = one.cell_of
    assert cells.shape == size and np.array_equal(np.unique(cells), np.arange(cells.max() + 1))
    for control in CONTROLS.values():
        assert control(3, *size, 0).shape == (3, *size)


def test_an_upper_half_forgets_and_the_network_at_hand_does_not() -> None:
    one, pixels = plain(), pictures(6, 32, 40)
    engine = one.engine
    assert isinstance(engine, TorchEngine)
    before = {name: tensor.clone() for name, tensor in engine.network.state_dict().items()}
    other = upper_half_forgotten(engine, pixels, seed=0)
    for name, tensor in engine.network.state_dict().items():
        assert tensor.equal(before[name]), name
        changed = other.network.state_dict()[name]
        assert changed.flatten().sort().values.equal(tensor.flatten().sort().values), name  # the same numbers
        if name.endswith("weight"):
            is_upper = name in ("body.features.4.weight", "body.fc.weight")
            assert changed.equal(tensor) != is_upper, name
    assert np.abs(engine.plain(pixels[:4]) - other.plain(pixels[:4])).max() > 0.01


@pytest.mark.parametrize("name", MEASURES.names())
def test_a_measure_says_what_it_is(name: str) -> None:
    module = MEASURES.get(name)
    assert module.BETTER in ("lower", "higher") and module.SAYS[0].islower() and not module.SAYS.endswith(".")


def test_the_pointing_game_by_hand() -> None:
    maps = np.zeros((3, 32, 32), np.float32)
    maps[:, 5, 21] = 1
    objects = np.zeros((3, 32, 32), bool)
    objects[0, 4:12, 20:28] = objects[1, 20:28, 4:12] = True  # on it; beside it; none is known of the third
    found = pointing.measure(replace(asked(maps), objects=objects))
    assert found is not None and found[:2].tolist() == [1, 0] and np.isnan(found[2])
    assert pointing.measure(asked(maps)) is None
