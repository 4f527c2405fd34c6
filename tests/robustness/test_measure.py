"""The whole measurement on small runs, and what it refuses."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from sightline.data.preprocess import Pixels
from sightline.errors import BadPicturesError, ConfigError, DataError
from sightline.evaluation.runs import evaluate_run
from sightline.robustness import Robustness, measure
from sightline.robustness.page import page
from sightline.robustness.variants import moves
from sightline.robustness.words import headline, lines, notes

NUM = 24  # pictures beside the run


@pytest.fixture(scope="module")
def found(single: Path) -> Robustness:
    return measure(single, single.parent / "more", num_attacked=16)


def test_clean_is_what_evaluate_gives(found: Robustness, single: Path) -> None:
    tested, _ = evaluate_run(single, single.parent / "more")
    assert found.num == found.num_in_split == NUM
    assert found.clean == tested.accuracy
    assert found.clean.value > 0.9  # else nothing below could fall


def test_the_figures_fit_each_other(found: Robustness) -> None:
    rates = np.array([[rate.value for rate in one.rates] for one in found.corruptions])
    assert rates.shape == (15, 5)
    assert found.mean_error.value == pytest.approx(1 - rates.mean())
    assert found.mean_drop.value == pytest.approx(rates.mean() - found.clean.value)
    assert found.relative_drop == pytest.approx(1 - rates.mean() / found.clean.value)
    for one in found.corruptions:
        for rate, difference in zip(one.rates, one.differences, strict=True):
            assert difference.value == pytest.approx(rate.value - found.clean.value)
            assert rate.interval[0] <= rate.value <= rate.interval[1]
    assert found.worst.mean == pytest.approx(rates.mean(axis=1).min())
    assert found.at_severity(2) == pytest.approx(rates[:, 1].mean())
    assert rates.min() < 0.8  # something is lost


def test_attacks_within_more_fell_more(found: Robustness) -> None:
    by_name = {one.name: [rate.value for rate in one.rates] for one in found.attacks}
    assert set(by_name) == {"FGSM", "PGD", "together"}
    assert all(one.num == 16 and one.epsilons == (0, 1, 2, 4, 8) for one in found.attacks)
    assert len({rates[0] for rates in by_name.values()}) == 1
    for name in ("PGD", "together"):
        assert by_name[name] == sorted(by_name[name], reverse=True)
    assert all(
        best <= min(one, two)
        for best, one, two in zip(by_name["together"], by_name["FGSM"], by_name["PGD"], strict=True)
    )


def test_the_same_seed_the_same_figures_another_others(found: Robustness, single: Path) -> None:
    def figures(one: Robustness) -> dict[str, object]:
        return {k: v for k, v in one.to_json().items() if k not in ("duration_s", "seed")}

    assert figures(measure(single, single.parent / "more", num_attacked=16)) == figures(found)
    other = measure(single, single.parent / "more", num_attacked=0, seed=1)
    assert figures(other)["corruptions"] != figures(found)["corruptions"]


def test_a_pictures_corruption_does_not_depend_on_how_many_are_drawn(found: Robustness, single: Path) -> None:
    some = measure(single, single.parent / "more", num=NUM - 1, num_attacked=0)
    assert some.num == NUM - 1 and some.num_in_split == NUM
    assert f"{NUM - 1} of the {NUM} pictures" in notes(some)[0] and "by chance" in notes(some)[0]
    for one, other in zip(found.corruptions, some.corruptions, strict=True):
        for rate, part in zip(one.rates, other.rates, strict=True):  # a single picture was left out
            assert round(NUM * rate.value) - round((NUM - 1) * part.value) in (0, 1)


def test_what_is_said_and_shown(found: Robustness) -> None:
    text = "\n".join(lines(found))
    assert headline(found) in text and "gaussian noise" in text and "right under attack, PGD: 1/255" in text
    assert f"{found.clean.value:.2%}" in text
    html = page(found)
    assert html.count("<img") == 1 + 3 * 15
    assert headline(found).replace(" %", "").split()[0] in html
    assert json.loads(json.dumps(found.to_json()))["num"] == NUM


def test_several_classes_are_measured_by_exact_match_and_not_attacked(several: Path) -> None:
    found = measure(several, num=12, num_attacked=16)
    assert found.figure == "exact match" and found.attacks == () and found.num == 12
    assert "No attack was tried." in notes(found)
    assert "Attacks</h2>" not in page(found)
    assert {one.kind for one in found.moves} == {"shift", "scale", "rotation", "mirror"}


def test_moves_keep_type_and_shape_and_shifts_are_whole_pixels() -> None:
    image = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    for way in moves(12, 20, 0):
        for variant in way:
            for picture in (image, image.astype(np.float32)):
                moved: Pixels = variant.change(picture, 3)
                assert moved.shape == picture.shape and moved.dtype == picture.dtype
    shifts, scales, rotations, (mirror,) = moves(12, 20, 0)
    assert [round(12 * one.level) for one in shifts] == [1, 2]  # 1 to 16 % of 12 pixels
    inner = [shifts[1].change(image, index)[3:-3, 3:-3] for index in range(30)]
    expected = [image[3 - y : 9 - y, 3 - x : 17 - x] for y, x in ((2, 0), (-2, 0), (0, 2), (0, -2))]
    which = [[np.array_equal(one, other) for other in expected].index(True) for one in inner]
    assert set(which) == {0, 1, 2, 3}
    assert np.array_equal(mirror.change(image, 0)[:, ::-1], image)
    assert {one.level for one in scales} | {-30.0, 30.0} <= {0.8, 0.9, 0.95, 1.05, 1.1, 1.25} | {
        one.level for one in rotations
    }


def test_what_cannot_be_measured_is_refused(single: Path, tmp_path: Path) -> None:
    more = single.parent / "more"
    for settings, message in (
        ({"num": 9}, "--num 9"),
        ({"num_attacked": -1}, "--attacked -1"),
        ({"seed": -1}, "--seed -1"),
    ):
        with pytest.raises(ConfigError, match=message):
            measure(single, more, **settings)
    with pytest.raises(DataError, match="trained this run"):
        measure(single, _copy(single.parent / "data", tmp_path / "copy"))
    few = _copy(more, tmp_path / "few")
    for path in [*sorted((few / "above").iterdir())[4:], *sorted((few / "below").iterdir())[5:]]:
        path.unlink()
    with pytest.raises(DataError, match="pictures; 10 are needed"):
        measure(single, few)
    damaged = _copy(more, tmp_path / "damaged")
    (damaged / "above" / "0.png").write_bytes(b"no picture")
    with pytest.raises(BadPicturesError, match="--skip-bad"):
        measure(single, damaged)
    assert measure(single, damaged, num_attacked=0, skip_bad=True).num_bad == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda config: config["sightline"].update(task="number"), "answers numbers"),
        (lambda config: config["pretrained_cfg"].update(input_size=[3, 6, 40]), "6 x 40 pixels; corruptions need 8"),
    ],
)
def test_runs_that_cannot_be_measured_are_refused(single: Path, tmp_path: Path, change: object, message: str) -> None:
    run = _copy(single, tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    change(config)  # type: ignore[operator]
    (run / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match=message):
        measure(run)


def _copy(source: Path, target: Path) -> Path:
    return shutil.copytree(source, target)
