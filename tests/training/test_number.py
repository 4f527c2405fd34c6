"""Numbers, from pictures to a run, its answers and its report."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from sightline import Classifier, Predictor, Regressor, load
from sightline.classifier import from_arrays
from sightline.decision import NumberDecision, NumberPrediction
from sightline.errors import ConfigError, DataError, RunError
from sightline.training.objectives import build
from sightline.training.options import Options
from sightline.training.recipe import Recipe
from sightline.training.train import train


def discs(num: int, seed: int = 0, side: int = 28) -> tuple[np.ndarray, np.ndarray]:
    """Grey pictures with a disc on noise, and its diameter in micrometres, 1000 to a pixel and 50,000 beside."""
    generator = np.random.default_rng(seed)
    pictures = generator.integers(0, 60, (num, side, side), dtype=np.uint8)
    y, x = np.mgrid[:side, :side]
    radii = generator.uniform(2, 8, num)
    for picture, radius in zip(pictures, radii, strict=True):
        cy, cx = generator.uniform(9, side - 9, 2)
        picture[(y - cy) ** 2 + (x - cx) ** 2 < radius**2] = 220
    return pictures, 50_000 + 2000 * radii


FAST = {"model": "simple_cnn", "epochs": 10, "batch_size": 16, "learning_rate": 0.05, "model.width": 8}


@pytest.fixture(scope="module")
def run_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("number") / "run"
    pictures, values = discs(500)
    return train(from_arrays(pictures, values[:, None], ("diameter",)), FAST, Options(out=out)).path


def test_it_learns_and_says_so_in_the_numbers_unit(run_path: Path) -> None:
    measured = json.loads((run_path / "metrics.json").read_text())
    assert measured["r2"] > 0.8 and measured["interval"][0] < measured["r2"] < measured["interval"][1]
    (mae,) = measured["mae"]
    assert 100 < mae["value"] < 1500  # the discs differ by 12,000
    assert "accuracy" not in measured
    lines = [json.loads(line) for line in (run_path / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["val_r2"] > 0.8


def test_answers_are_in_the_numbers_unit(run_path: Path) -> None:
    pictures, values = discs(60, seed=7)
    predictor = Predictor.open(run_path)
    assert isinstance(predictor.decision, NumberDecision)
    answers = predictor.predict(pictures)
    assert all(isinstance(a, NumberPrediction) and list(a.values) == ["diameter"] for a in answers)
    found = np.array([a.values["diameter"] for a in answers])
    assert abs(found - values).mean() < 1500
    with (run_path / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "diameter", "predicted_diameter"]
    errors = [abs(float(r["diameter"]) - float(r["predicted_diameter"])) for r in rows]
    measured = json.loads((run_path / "metrics.json").read_text())
    assert np.mean(errors) == pytest.approx(measured["mae"][0]["value"], rel=1e-4)


def test_the_recipe_cuts_nothing_off_and_trusts_no_augmentation(run_path: Path) -> None:
    recipe = (run_path / "recipe.toml").read_text()
    assert 'fit = "pad"' in recipe and "augment = []" in recipe
    assert 'augment_if_safe = ["pad_crop", "flip"]' in recipe and "label_smoothing = 0\n" in recipe


def test_the_page_and_the_card_show_what_fits(run_path: Path) -> None:
    page, card = (run_path / "report.html").read_text(), (run_path / "README.md").read_text()
    for text in ("Answers and truth", "Furthest off", "always answering the median", "Spearman", "diameter"):
        assert text in page
    assert "onfusion" not in page and page.count('class="dot strong"') >= 75
    assert '"type": "r_squared"' in card and "| Number | Mean absolute error |" in card


def test_a_regressor_has_scikit_learns_shapes(tmp_path: Path) -> None:
    pictures, values = discs(300)
    settings = {k: v for k, v in FAST.items() if "." not in k}
    regressor = Regressor(**settings, model_options={"width": 8}).fit(pictures, values)
    assert regressor.predict(pictures[:9]).shape == (9,) and regressor.names_.tolist() == ["value"]
    score = regressor.score(pictures, values)
    predicted = regressor.predict(pictures)
    expected = 1 - ((predicted - values) ** 2).sum() / ((values - values.mean()) ** 2).sum()
    assert score == pytest.approx(expected) and score > 0.5
    regressor.save(tmp_path / "kept")
    again = load(tmp_path / "kept")
    assert isinstance(again, Regressor) and np.array_equal(again.predict(pictures[:9]), regressor.predict(pictures[:9]))
    with pytest.raises(RunError, match="a Classifier cannot answer this; take a Regressor"):
        Classifier.load(tmp_path / "kept")


def test_what_a_regressor_cannot_take_is_said() -> None:
    pictures, _ = discs(2)
    with pytest.raises(DataError, match="takes numbers"):
        Regressor().fit(pictures, ["a", "b"])
    with pytest.raises(DataError, match="without a finite number"):
        Regressor().fit(pictures, [1.0, float("nan")])
    with pytest.raises(RunError, match="a Regressor cannot answer this; take a Classifier"):
        Regressor().fit(from_arrays(pictures, ["a", "b"]))


def test_several_numbers_have_a_loss_each_and_wild_scales_do_no_harm(tmp_path: Path) -> None:
    pictures, values = discs(300)
    both = np.stack([values, 1e-6 * (values - 60_000)], axis=1)
    run = train(from_arrays(pictures, both, ("big", "small")), FAST, Options(out=tmp_path / "run"))
    each = run.read_json("metrics.json")["r2_each"]
    assert len(each) == 2 and all(figure["value"] > 0.5 for figure in each)
    answer = Predictor.open(run.path).predict(pictures[0])[0]
    assert isinstance(answer, NumberPrediction) and list(answer.values) == ["big", "small"]


def test_the_loss_is_hubers_in_standard_deviations_by_hand() -> None:
    objective = build(np.array([[10.0], [30.0]]), 1, Recipe(label_smoothing=0.0))  # mean 20, std 10
    labels = torch.tensor([[25.0], [60.0]], dtype=torch.float64)  # 0.5 and 4 standard deviations
    loss = objective.loss(torch.zeros(2, 1), labels)
    assert loss.item() == pytest.approx((0.5 * 0.5**2 + (4 - 0.5)) / 2)


def test_a_head_is_scikit_learns_ridge() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(1, 2, (80, 6)).astype(np.float32)
    values = np.stack([x @ generator.normal(0, 1, 6), 1000 + 5 * x[:, 0]], axis=1) + generator.normal(0, 0.1, (80, 2))
    objective = build(values, 2, Recipe(label_smoothing=0.0))
    for penalty, (w, b) in zip(
        (1.0, 0.01), objective.solve(torch.from_numpy(x), torch.from_numpy(values), (1.0, 0.01)), strict=True
    ):
        scaled = (values - values.mean(axis=0)) / values.std(axis=0)
        reference = Ridge(alpha=penalty * 80).fit(x, scaled)
        assert w.numpy() == pytest.approx(reference.coef_, abs=1e-4)
        assert b.numpy() == pytest.approx(reference.intercept_, abs=1e-4)


@pytest.mark.parametrize(("name", "value"), [("label_smoothing", 0.1), ("balance", "weights")])
def test_what_has_no_meaning_for_numbers_is_refused(name: str, value: object, tmp_path: Path) -> None:
    pictures, values = discs(40)
    with pytest.raises(ConfigError, match=f"{name} = .*: numbers have no classes"):
        train(from_arrays(pictures, values[:, None]), {**FAST, name: value}, Options(out=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_number_that_is_a_direction_forbids_the_mirror(tmp_path: Path) -> None:
    """The place of a disc from left to right changes in the mirror, its height does not."""
    said: list[str] = []

    class Listener:
        def say(self, text: str) -> None:
            said.append(text)

        def track(self, items, total, what):  # type: ignore[no-untyped-def]
            return items

        def step(self, step: int, total: int, figures: str) -> None: ...

    generator = np.random.default_rng(0)
    y, x = np.mgrid[:28, :28]
    places = generator.uniform(6, 22, (600, 2))
    pictures = generator.integers(0, 60, (600, 28, 28), dtype=np.uint8)
    for picture, (cy, cx) in zip(pictures, places, strict=True):
        picture[(y - cy) ** 2 + (x - cx) ** 2 < 16] = 220
    settings = FAST | {"augment_if_safe": ["flip"], "epochs": 12, "model": "lenet5"}
    settings.pop("model.width")
    for axis, verdict in ((1, "left off"), (0, "switched on")):
        said.clear()
        labels = places[:, axis : axis + 1]
        train(from_arrays(pictures, labels), settings, Options(out=tmp_path / str(axis)), Listener())
        assert any(line.startswith("flip: ") and line.endswith(verdict) for line in said), said


def test_a_table_is_trained_evaluated_and_predicted_by_the_same_commands(tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    from PIL import Image

    from sightline.cli import main

    pictures, values = discs(120)
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
    rows = [f"{i}.png,{value:.1f},{value / 2:.1f},g{i // 3}" for i, value in enumerate(values)]
    (tmp_path / "discs.csv").write_text("\n".join(["path,value_size,value_half,group", *rows]) + "\n")
    words = [str(tmp_path / "discs.csv"), "--out", str(tmp_path / "run"), "--epochs", "2", "--set", "batch_size=16"]
    assert main(["train", *words]) == 0
    assert "with 2 numbers each: size from 54" in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path / "run")]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("R2 ") and "mean abs. error" in shown
    assert main(["evaluate", str(tmp_path / "run"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    kept = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert {k: v for k, v in kept.items() if k not in ("interrupted", "unknown")} == found
    assert main(["predict", str(tmp_path / "run"), str(tmp_path / "0.png"), "--csv"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "path,size,half,doubt,error"
    assert main(["predict", str(tmp_path / "run"), str(tmp_path / "0.png"), "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["values"]) == {"size", "half"}
