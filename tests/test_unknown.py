"""Pictures of something else: scores by hand and by two routes, what is promised of known ones, what is stored."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sightline.decision import Answers, Unknown
from sightline.decision import unknown as methods
from sightline.decision.appearance import LEAST, appearance
from sightline.errors import RunError
from sightline.run import read_arrays, write_arrays


def answers(logits: object, features: object | None = None) -> Answers:
    rows = np.asarray(logits, np.float32)
    given = rows if features is None else np.asarray(features, np.float32)
    return Answers(rows, rows, given, given[:, :3])


def drawn(num: int, seed: int, shift: float = 0.0) -> Answers:
    rng = np.random.default_rng(seed)
    features = rng.normal(shift, 1, (num, 6))
    return answers(features @ np.random.default_rng(99).normal(size=(6, 4)), features)


def test_probability_and_energy_by_hand() -> None:
    two = answers([[0.0, 0.0], [np.log(3), 0.0]])
    assert methods.strangeness("msp", {}, two).tolist() == pytest.approx([0.5, 0.25])
    assert methods.strangeness("energy", {}, two).tolist() == pytest.approx([-np.log(2), -np.log(4)])


def test_the_nearest_few_by_hand() -> None:
    """In a plane directions are angles; the fifth nearest of those at 0, 10, 20, 30, 40, 50 degrees is 40 away."""
    angles = np.radians([0, 10, 20, 30, 40, 50])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1) * [[1], [7], [2], [9], [3], [1]]
    kept = methods.fitted("knn", answers(np.zeros((6, 2)), features), drawn(9, 0))
    found = methods.strangeness("knn", kept, answers([[0, 0]], [[5.0, 0.0]]))
    assert found[0] == pytest.approx(1 - np.cos(np.radians(40)), abs=1e-3)


def test_what_training_does_not_span_is_strange() -> None:
    """Features of training vary in three of six directions: the length beside them, scaled, less the energy."""
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(0, 3, (400, 3)), rng.normal(0, 0.01, (400, 3))], axis=1).astype(np.float32)
    logits = rng.normal(5, 1, (400, 4)).astype(np.float32)
    trained = answers(logits, features)
    kept = methods.fitted("vim", trained, trained)
    beside = np.linalg.norm((features - features.mean(0))[:, 3:], axis=1)
    scale = logits.max(axis=1).mean() / beside.mean()
    other = answers(np.zeros((1, 4)), [[1, 1, 1, 0.5, 0, 0]])
    length = np.linalg.norm((other.features - features.mean(0))[:, 3:])
    assert methods.strangeness("vim", kept, other)[0] == pytest.approx(length * scale - np.log(4), rel=1e-2)


@pytest.mark.parametrize("method", methods.METHODS)
def test_known_pictures_are_called_unknown_as_rarely_as_promised(method: str) -> None:
    """Over 300 draws of 99 pictures: 1 in 100 on average, for whoever is one of a hundred alike is last in one."""
    kept, called = methods.fitted(method, drawn(200, 0), drawn(99, 999)), []
    for seed in range(300):
        both = methods.strangeness(method, kept, drawn(99 + 50, seed + 1))
        unknown = methods.calibrated(method, kept, both[:99], 0.01)
        called.append(float(unknown.is_unknown(unknown.familiarity(both[99:])).mean()))
    assert np.mean(called) == pytest.approx(0.01, abs=4 * np.std(called) / np.sqrt(300))


def test_sums_by_hand() -> None:
    """The median of 0 to 98 is 49, its 95 % quantile 44.1 above that. So far above by knn, twice so by pixels: 1 + 2;
    below its median by pixels is as if at it.
    """
    spread = methods._spread([np.arange(99.0), np.arange(99.0)])
    assert spread == pytest.approx(np.array([[49, 44.1], [49, 44.1]]))
    parts = [np.array([49 + 44.1, 49.0]), np.array([49 + 88.2, 0.0])]
    assert methods._summed({"spread": spread}, parts).tolist() == pytest.approx([3, 0])


@pytest.mark.parametrize("method", ["combined", "knn_pixels", "knn", "vim"])
def test_far_features_are_unknown(method: str) -> None:
    trained, known = drawn(300, 0, 2.0), drawn(200, 1, 2.0)
    kept = methods.fitted(method, trained, known)
    unknown = methods.calibrated(method, kept, methods.strangeness(method, kept, known), 0.05)
    strange = answers(np.zeros((20, 4)), -40 * np.abs(drawn(20, 2).features))
    assert unknown.is_unknown(unknown.familiarity(unknown.strangeness(strange))).all()
    assert unknown.is_unknown(unknown.familiarity(unknown.strangeness(drawn(500, 3, 2.0)))).mean() < 0.15


@pytest.mark.parametrize("method", methods.METHODS)
def test_a_pictures_score_does_not_depend_on_what_else_is_asked(method: str) -> None:
    kept, asked = methods.fitted(method, drawn(300, 0), drawn(99, 999)), drawn(130, 1)
    together = methods.strangeness(method, kept, asked)
    for row in (0, 63, 64, 129):
        alone = methods.strangeness(method, kept, asked.take(slice(row, row + 1)))
        assert alone[0] == together[row]
    assert len(methods.strangeness(method, kept, asked.take(slice(0, 0)))) == 0


@pytest.mark.parametrize("method", methods.METHODS)
def test_no_finite_numbers_are_the_strangest(method: str) -> None:
    kept, asked = methods.fitted(method, drawn(300, 0), drawn(99, 999)), drawn(3, 1)
    damaged = replace(asked, logits=asked.logits * np.nan, features=asked.features * np.nan)
    known = methods.strangeness(method, kept, drawn(99, 2))
    unknown = methods.calibrated(method, kept, known, 0.01)
    assert (unknown.familiarity(unknown.strangeness(damaged)) == 0.01).all()


def test_among_themselves_a_picture_is_told_by_other_groups() -> None:
    trained, groups = drawn(150, 0), np.arange(150) // 3
    kept, found = methods.fitted_to_themselves(trained, groups)
    for row in (0, 77, 149):
        rest = trained.take(groups % methods.FOLDS != groups[row] % methods.FOLDS)
        others = {**kept, "bank": kept["bank"][groups != groups[row]], **methods._fit_pixels(rest)}
        alone = trained.take(slice(row, row + 1))
        assert found[row] == pytest.approx(methods.strangeness("knn_pixels", others, alone)[0], abs=1e-2)


@pytest.mark.parametrize(("num", "rate", "alike"), [(19, 0.05, 1), (50, 0.05, 1), (100, 0.01, 1), (120, 0.05, 3)])
def test_of_pictures_that_trained_new_ones_are_called_unknown_as_rarely_as_promised(
    num: int, rate: float, alike: int
) -> None:
    """Over 100 draws; features and looks of 16 numbers, which a mean and a covariance of 19 pictures fit closely.
    `alike`: pictures a group, all of them the same."""
    called, generator = [], np.random.default_rng(0)
    for _ in range(100):
        features, looks = (generator.normal(size=(num // alike, 16)).astype(np.float32) for _ in range(2))
        groups = np.repeat(np.arange(num // alike), alike)
        none = np.zeros((num, 0), np.float32)
        trained = Answers(none, none, features.repeat(alike, axis=0), looks.repeat(alike, axis=0))
        kept, scores = methods.fitted_to_themselves(trained, groups)
        features, looks = (generator.normal(size=(300, 16)).astype(np.float32) for _ in range(2))
        unknown = methods.calibrated("knn_pixels", kept, scores, rate)
        new = Answers(np.zeros((300, 0), np.float32), np.zeros((300, 0), np.float32), features, looks)
        called.append(unknown.is_unknown(unknown.of(new)).mean())
    assert np.mean(called) < 1.6 * rate + 3 * np.std(called) / np.sqrt(100)


@pytest.mark.parametrize("method", methods.METHODS)
def test_what_is_stored_answers_alike(method: str, tmp_path: Path) -> None:
    kept, asked = methods.fitted(method, drawn(300, 0), drawn(99, 999)), drawn(20, 1)
    unknown = methods.calibrated(method, kept, methods.strangeness(method, kept, drawn(99, 2)), 0.05)
    write_arrays(tmp_path / "unknown.safetensors", *unknown.stored())
    again = Unknown.opened(*read_arrays(tmp_path / "unknown.safetensors"), "it")
    assert again.rate == 0.05 and again.method == method
    assert np.array_equal(again.familiarity(again.strangeness(asked)), unknown.familiarity(unknown.strangeness(asked)))


def test_damage_is_told(tmp_path: Path) -> None:
    path = tmp_path / "unknown.safetensors"
    kept = methods.fitted("knn", drawn(30, 0), drawn(9, 1))
    write_arrays(path, *methods.calibrated("knn", kept, np.arange(99.0), 0.01).stored())
    whole = path.read_bytes()
    path.write_bytes(whole[:-2] + bytes([whole[-2] ^ 1, whole[-1]]))
    with pytest.raises(RunError, match=r"unknown\.safetensors is damaged"):
        read_arrays(path)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunError, match="cannot be read"):
        read_arrays(path)
    arrays, facts = {"scores": np.arange(3.0)}, {"method": "magic", "rate": "0.01"}
    with pytest.raises(RunError, match="it does not hold what"):
        Unknown.opened(arrays, facts, "it")


def test_how_a_picture_looks_by_hand() -> None:
    """Left half black, right half red: means, deviations, one edge in seven columns, channels that differ."""
    picture = np.zeros((1, 8, 8, 3), np.uint8)
    picture[:, :, 4:, 0] = 255
    found = np.exp(appearance(picture)[0]) - LEAST
    third = 1 / 3
    beside = [third * 1 / 7, third * 2 / 6, third * 4 / 4]
    edges = [each for width in beside for each in (0, width)]
    expected = [0.5, 0, 0, 0.5, 0, 0, *edges, 0.5, 0, 0.5, 0]
    assert found.tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("shape", [(28, 28, 1), (3, 5, 3), (64, 48, 3), (230, 224, 3)])
def test_how_it_looks_is_the_same_bits_in_any_company(shape: tuple[int, int, int]) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (70, *shape), np.uint8)
    together = appearance(pictures)
    assert np.isfinite(together).all()
    for i in (0, 13, 69):
        assert np.array_equal(appearance(pictures[i : i + 1])[0], together[i])
        assert np.array_equal(appearance(pictures[i : i + 1].astype(np.float32))[0], together[i])
