"""From inside: filters, probes, fields of view, channels, a plane; on networks and numbers whose answers are known."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.explainers.networks import CLASSES, of, pictures, plain
from torch import Tensor, nn

from sightline.data.preprocess import Preprocessing
from sightline.data.warp import Floats
from sightline.engines.inside import first_filters, stage_maps, unit_gradients
from sightline.engines.torch import TorchEngine
from sightline.errors import ConfigError
from sightline.explaining.inside import channels, field, filters, plane, probe
from sightline.explaining.inside.look import Inside, look
from sightline.explaining.inside.page import lines, page
from sightline.models import Network


def engine_of(size: tuple[int, int] = (32, 40)) -> TorchEngine:
    engine = plain(*size).engine
    assert isinstance(engine, TorchEngine)
    return engine


class Convolutions(nn.Module):
    """Three of 3 x 3, the second with a stride of 2: a unit sees 3, 5 and 9 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, 2, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        )  # fmt: skip
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.fc(self.features(x).mean((2, 3)))
        return found


@pytest.mark.parametrize(("stage", "side"), [("features.0", 3), ("features.1", 5), ("features.2", 9)])
def test_a_unit_sees_as_many_pixels_as_its_convolutions_reach(stage: str, side: int) -> None:
    torch.manual_seed(0)
    network = Network(Convolutions(), "three", {}, len(CLASSES), 3, (32, 32))
    engine = of(network, Preprocessing(32, 32, 3)).engine
    assert isinstance(engine, TorchEngine)
    slopes = unit_gradients(engine, pictures(4, 32, 32), stage, np.arange(4), centre=True)[1]
    found = field.of_units(slopes)
    assert found.seen == (side, side)
    assert max(found.counts) <= side and min(found.counts) >= side // 2


def test_what_counts_is_where_most_of_the_gradient_is() -> None:
    slopes = np.zeros((1, 21, 21, 1), np.float32)
    slopes[0, 10, 10] = 100
    slopes[0, 0, 0] = slopes[0, 20, 20] = 1
    assert field.of_units(slopes) == field.Field((21, 21), (1, 1))
    assert field.of_units(0 * slopes) == field.Field((0, 0), (0, 0))


def test_maps_and_gradients_are_those_of_the_network() -> None:
    engine, pixels = engine_of(), pictures(3, 32, 40)
    before = engine.plain(pixels)
    found = stage_maps(engine, pixels, ["features.1", "features.4"])
    assert found["features.1"].shape == (3, 8, 16, 20) and found["features.4"].shape == (3, 6, 8, 10)
    assert (found["features.1"] >= 0).all()
    values, slopes = unit_gradients(engine, pixels, "features.4", np.array([0, 3, 5]), centre=False)
    np.testing.assert_allclose(values, found["features.4"].mean(axis=(2, 3))[range(3), [0, 3, 5]], rtol=1e-4)
    step = slopes / np.abs(slopes).max()

    def means(sign: int) -> Floats:
        moved = pixels + np.float32(sign) * step
        return np.asarray(stage_maps(engine, moved, ["features.4"])["features.4"].mean(axis=(2, 3)))

    more, less = means(1), means(-1)
    measured = ((more - less) / 2)[range(3), [0, 3, 5]]
    np.testing.assert_allclose(measured, (slopes * step).sum(axis=(1, 2, 3)), rtol=0.05)
    np.testing.assert_array_equal(engine.plain(pixels), before)


def test_filters_are_drawn_the_heaviest_first_around_grey() -> None:
    found = first_filters(engine_of())
    assert found is not None and found[0] == "features.0" and found[1].shape == (8, 3, 3, 3)
    weights = np.zeros((2, 3, 3, 3), np.float32)
    weights[0, 0, 1, 1], weights[1, 2, 0, 0] = 1, -4
    first, second = filters.drawn(weights)
    assert first.shape == (3, 3, 3) and first[0, 0, 2] == 0 and first[2, 2, 0] in (127, 128)
    assert second[1, 1, 0] == 255


def test_a_probe_tells_what_is_linear_and_no_more() -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(400, 20)).astype(np.float32)
    linear = (features[:, 0] + features[:, 1] > 0).astype(np.intp)
    crossed = (features[:, 0] * features[:, 1] > 0).astype(np.intp)
    for labels, least, most in ((linear, 0.9, 1.0), (crossed, 0.35, 0.65)):
        found = probe.answers(features[:300], labels[:300], features[300:], 2)
        assert least <= (found == labels[300:]).mean() <= most
    wide = random.normal(size=(60, 500)).astype(np.float32)  # more features than pictures, one without variance
    wide[:, 3] = 7
    assert probe.answers(wide[:40], np.arange(40) % 3, wide[40:], 3).shape == (20,)


def test_a_probe_is_ridge_regression_with_the_penalty_of_cross_validation() -> None:
    from sklearn.linear_model import RidgeClassifierCV

    random = np.random.default_rng(1)
    labels = np.arange(150) % 3
    features = (random.normal(size=(150, 30)) + 0.6 * np.eye(3)[labels] @ random.normal(size=(3, 30))).astype(
        np.float32
    )
    known = (features - features[:100].mean(axis=0)) / features[:100].std(axis=0)
    other = RidgeClassifierCV(alphas=100 * probe.PENALTIES).fit(known[:100], labels[:100]).predict(known[100:])
    assert (probe.answers(features[:100], labels[:100], features[100:], 3) == other).mean() > 0.9


def test_channels_that_tell_classes_apart_come_first() -> None:
    random, labels = np.random.default_rng(0), np.arange(90) % 3
    peaks = random.normal(5, 1, (90, 6)).astype(np.float32)
    peaks[:, 4] += 6 * (labels == 1)
    peaks[:, 2] += 2 * (labels == 2)
    assert channels.tell_apart(peaks, labels, 2) == [4, 2]
    assert channels.exciting(peaks, 4, 3) == np.argsort(-peaks[:, 4])[:3].tolist()


def test_crops_lie_about_their_place_and_inside() -> None:
    frame = np.arange(40 * 60, dtype=np.uint16).reshape(40, 60, 1).astype(np.uint8)
    middle = channels.cropped(frame, 2, 3, (5, 6), 10)
    np.testing.assert_array_equal(middle, frame[15:25, 30:40])
    for row, column in ((0, 0), (4, 5)):
        assert channels.cropped(frame, row, column, (5, 6), 30).shape == (30, 30, 1)
    assert channels.cropped(frame, 1, 1, (5, 6), 500).shape == (40, 40, 1)


def test_pictures_are_made_that_excite() -> None:
    template = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype(np.float32)
    template = np.asarray(sum(np.roll(template, (i, j), (1, 2)) for i in range(3) for j in range(3)), np.float32)

    def gradient(images: Floats, numbers: np.ndarray) -> tuple[Floats, Floats]:
        return (template[numbers] * images).sum(axis=(1, 2, 3)), template[numbers]

    images, does = channels.made(gradient, np.array([0, 1]), np.full(3, 128, np.float32), (16, 16), seed=0)
    assert does.all() and images.min() >= 0 and images.max() <= 255
    for i in range(2):
        assert np.corrcoef(images[i].ravel(), template[i].ravel())[0, 1] > 0.3

    def none(images: Floats, numbers: np.ndarray) -> tuple[Floats, Floats]:
        return 0 * images.sum(axis=(1, 2, 3)), 0 * images

    flat = channels.made(none, np.array([0]), np.full(3, 9, np.float32), (8, 8), 0)
    assert not flat[1].any()


@pytest.mark.parametrize("installed", [True, False])
def test_alike_pictures_lie_together(installed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not installed:
        monkeypatch.setattr(plane.importlib.util, "find_spec", lambda name: None)
    random, cluster = np.random.default_rng(0), np.arange(60) % 3
    features = (8 * np.eye(12)[cluster] + random.normal(size=(60, 12))).astype(np.float32)
    places, by = plane.placed(features, seed=0)
    assert places.shape == (60, 2) and places.min() == 0 and places.max() == 1
    assert ("t-SNE" in by) == installed
    apart = np.square(places[:, None] - places[None]).sum(axis=2) + 9 * np.eye(60)
    assert (cluster[apart.argmin(axis=1)] == cluster).mean() > 0.9
    again = plane.placed(features, seed=0)[0]
    np.testing.assert_array_equal(places, again)
    assert plane.placed(features[:3], seed=0)[0].shape == (3, 2)


@pytest.fixture(scope="module")
def inside(single: Path) -> Inside:
    return look(single)


def test_a_run_from_inside(inside: Inside) -> None:
    assert len(inside.stages) >= 2 and inside.filters is not None
    sides = [one.field.seen[0] for one in inside.stages]
    assert sides == sorted(sides) and sides[-1] <= inside.frame[0]
    assert inside.stages[-1].accuracy.value > 0.8  # above or below is easy
    assert len(inside.places) == len(inside.labels) == len(inside.thumbs)
    for one in inside.stages:
        assert 1 <= len(one.channels) <= 6 and all(len(each.crops) == 5 for each in one.channels)
        assert all(each.min() >= 0 and each.max() <= 1 for each in one.maps)
    document = inside.to_json()
    assert [one["name"] for one in document["stages"]] == [one.name for one in inside.stages]


def test_its_page_and_lines(inside: Inside) -> None:
    text = page(inside)
    assert (
        "What channels look for" in text
        and inside.stages[0].name in text
        and "http" not in text.replace("http-equiv", "")
    )
    assert text.count('class="sheet"') == 2 + 2 * len(inside.stages)
    assert any("the run itself" in line for line in lines(inside))


def test_a_run_of_several_classes_is_refused(several: Path) -> None:
    with pytest.raises(ConfigError, match="one class a picture"):
        look(several)
