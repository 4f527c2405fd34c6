"""Test-time averaging is a property of the run: what was measured is what every later command answers."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from sightline import Predictor
from sightline.classifier import from_arrays
from sightline.errors import ConfigError, RunError
from sightline.evaluation.runs import evaluate_run
from sightline.run import Run
from sightline.training.options import Options
from sightline.training.recipe import Recipe
from sightline.training.train import train

from .test_train import FAST, bars, bars_in

pytestmark = pytest.mark.usefixtures("default_plan")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, default_plan: None) -> Run:
    folder = tmp_path_factory.mktemp("tta")
    settings = FAST | {"augment": ["flip"], "augment_if_safe": [], "tta": ["flip", "shift"]}
    return train(bars_in(folder / "bars", 300), settings, Options(out=folder / "run"))


def test_the_run_says_what_it_averages_over(run: Run) -> None:
    document = run.read_json("config.json")["sightline"]
    assert (document["format"], document["tta"]) == (4, ["flip", "shift"])
    assert Run.open(run.path).config.tta == ("flip", "shift")
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert "the mean over 6 views of a picture (flip, shift); by the picture as it is: test accuracy" in page
    assert 0.5 < run.read_json("metrics.json")["without_tta"] <= 1


def test_later_commands_answer_as_was_tested(run: Run) -> None:
    again, _ = evaluate_run(run.path)
    assert again.accuracy.value == run.read_json("metrics.json")["accuracy"]
    with (run.path / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    answers = Predictor.open(run.path).predict([Path(Run.open(run.path).config.data) / row["path"] for row in rows])
    assert [f"{answer.probability:.6f}" for answer in answers] == [row["probability"] for row in rows]


def test_it_is_the_mean_of_its_views(run: Run, tmp_path: Path) -> None:
    document = run.read_json("config.json")
    document["sightline"]["tta"] = []
    for path in run.path.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "config.json").write_text(json.dumps(document))
    picture = bars(1, seed=9)[0][0]
    around = np.pad(picture, 1, mode="reflect")
    views = [picture, picture, around[:-2, :-2], around[2:, 2:]]
    views += [view[:, ::-1] for view in views]
    pixels = [view[:, :, None] for view in views]
    expected = Predictor.open(tmp_path).logits(pixels).mean(axis=0)
    found = Predictor.open(run.path).logits([picture[:, :, None]])[0]
    assert found == pytest.approx(expected, abs=1e-4)


def test_a_mirror_image_counts_only_where_training_saw_some(tmp_path: Path) -> None:
    settings = FAST | {"augment_if_safe": [], "tta": ["flip", "shift"]}
    run = train(from_arrays(*bars(120)), settings, Options(out=tmp_path / "run"))
    assert run.config.tta == ("shift",)


def test_mistakes_are_named(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown view for tta 'flop'\. Did you mean flip\?"):
        Recipe(tta=("flop",))
    with pytest.raises(ConfigError, match="tta: flip, flip: a name stands there twice"):
        Recipe(tta=("flip", "flip"))
    document = run.read_json("config.json")
    document["sightline"]["tta"] = ["spin"]
    (tmp_path / "config.json").write_text(json.dumps(document))
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(RunError, match=r"config\.json: tta = spin: known are flip, shift"):
        Run.open(tmp_path)
