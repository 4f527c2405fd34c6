"""Probabilities are calibrated by pictures that did not train, and what was done is said."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sightline import resume
from sightline.classifier import from_arrays
from sightline.decision import Decision, MultiDecision
from sightline.predictor import Predictor
from sightline.run import CALIBRATION, UNKNOWN, Run
from sightline.training import calibrate, finish
from sightline.training.objectives import build
from sightline.training.options import Options
from sightline.training.recipe import Recipe
from sightline.training.resuming.unfinished import Unfinished
from sightline.training.train import train

from .test_train import bars, bars_in

pytestmark = pytest.mark.usefixtures("default_plan", "one_thread")
FAST = {"model": "simple_cnn", "model.width": 4, "epochs": 1}


def test_pictures_that_select_help_out() -> None:
    assert calibrate.parts_for(Recipe(), False) == ("val", "calibration")


@pytest.mark.parametrize(("recipe", "chose_weights"), [(Recipe(), True), (replace(Recipe(), patience=3), False)])
def test_not_where_they_chose_the_weights_or_when_to_end(recipe: Recipe, chose_weights: bool) -> None:
    assert calibrate.parts_for(recipe, chose_weights) == ("calibration",)


@pytest.mark.parametrize(("num", "words"), [(24, "none: there are 24 pictures"), (25, "by 25 pictures of calibration")])
def test_too_few_are_said_with_how_many_are_needed(num: int, words: str) -> None:
    labels = np.arange(num) % 2
    logits = np.random.default_rng(0).normal(size=(num, 2)).astype(np.float32)
    found = calibrate.calibrated(build(labels, 2, Recipe()), ("calibration",), logits, labels)
    assert words in found.sentence
    assert (Decision(**found.decision).temperature == 1) == (num == 24)
    if num == 24:
        assert "25 are needed" in found.sentence


@pytest.mark.parametrize(
    ("num", "num_rare", "words"),
    [
        (40, 20, "a temperature and a bias for each class, and thresholds, by 40 pictures of val and calibration"),
        (40, 3, "a temperature and a bias for 1 of 2 classes (the temperature of all classes together, "),
        (20, 10, "none: there are 20 pictures for it, and at least 25 are needed; thresholds by 20 pictures of val"),
        (0, 0, "none: there are 0 pictures for it, and at least 25 are needed; thresholds of one half"),
    ],
)
def test_what_was_calibrated_of_several_labels_is_told(num: int, num_rare: int, words: str) -> None:
    labels = np.stack([np.arange(num) % 2, np.arange(num) < num_rare], axis=1).astype(np.uint8)
    logits = np.random.default_rng(0).normal(size=(num, 2)).astype(np.float32)
    objective = build(np.eye(2, dtype=np.uint8)[np.arange(40) % 2], 2, Recipe())
    found = calibrate.calibrated(objective, ("val", "calibration"), logits, labels)
    assert found.sentence.startswith(words) and found.is_none == (num < 25)
    decision = MultiDecision(**found.decision)
    assert len(decision.thresholds) == 2 and len(decision.temperatures) == len(decision.biases) == (
        2 if num >= 25 else 0
    )
    assert (found.known is None) == (num == 0)


@pytest.mark.parametrize(
    ("num", "words"), [(40, "how far off answers may be, by 40 pictures of val"), (0, "none: there")]
)
def test_what_intervals_are_made_by_is_told(num: int, words: str) -> None:
    labels = np.random.default_rng(0).normal(size=(num, 1))
    objective = build(np.arange(40.0)[:, None], 1, Recipe(label_smoothing=0.0))
    found = calibrate.calibrated(objective, ("val",), labels.astype(np.float32), labels)
    assert found.sentence.startswith(words) and found.is_none == (num == 0)
    if num:
        assert found.known is not None and found.known["truths"] == labels.tolist()
        mean, std = np.arange(40.0).mean(), np.arange(40.0).std()
        assert np.array(found.known["answers"]) == pytest.approx(labels * std + mean, rel=1e-5)


def test_a_run_answers_by_its_temperature(tmp_path: Path) -> None:
    pictures = bars_in(tmp_path / "bars", 800)
    settings = {"model": "simple_cnn", "model.width": 4, "epochs": 2, "label_smoothing": 0.3}
    run = train(pictures, settings, Options(out=tmp_path / "run", num_workers=0))
    temperature = run.config.decision["temperature"]
    assert temperature != 1
    predictor = Predictor.open(run.path)
    logits = predictor.logits([np.zeros((28, 28, 1), np.uint8)])
    assert predictor.predict(np.zeros((28, 28), np.uint8))[0].probability == pytest.approx(
        Decision(temperature).outputs(logits).max(), abs=1e-3
    )
    metrics = run.read_json("metrics.json")
    assert metrics["log_loss"] < metrics["uncalibrated"]["log_loss"]  # smoothing leaves answers less sure than right
    assert f"temperature {temperature:.3g}, by " in (run.path / "README.md").read_text()
    assert "How sure it is" in (run.path / "report.html").read_text()


def test_cross_validated_answers_serve_where_few_pictures_are_set_aside(tmp_path: Path) -> None:
    """A calibration split of the data's own does not train, and is too small."""
    pictures, labels = bars(160)
    first = train(from_arrays(*bars(160, seed=1)), FAST, Options(out=tmp_path / "first"))
    splits = ["calibration"] * 6 + ["test"] * 24 + ["train"] * 130
    dataset = replace(from_arrays(pictures, labels), splits=splits)
    run = train(dataset, {"weights": str(first.path)}, Options(out=tmp_path / "run"))
    assert "cross-validated answers to" in (run.path / "README.md").read_text()


def test_killed_before_its_end_a_head_keeps_its_calibration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = bars_in(tmp_path / "bars", 160)
    first = train(pictures, FAST, Options(out=tmp_path / "first"))
    whole = train(pictures, {"weights": str(first.path)}, Options(out=tmp_path / "whole"))
    monkeypatch.setattr(finish, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    monkeypatch.setattr(Unfinished, "_take_away", lambda *_: None)  # one that is killed takes nothing away
    with pytest.raises(KeyboardInterrupt):
        train(pictures, {"weights": str(first.path)}, Options(out=tmp_path / "run"))
    monkeypatch.undo()
    again = resume(tmp_path / "run")
    assert again.config.decision == whole.config.decision
    for name in (CALIBRATION, UNKNOWN):
        assert (again.path / name).read_bytes() == (whole.path / name).read_bytes()


def test_a_head_alone_is_calibrated_by_its_cross_validation(tmp_path: Path) -> None:
    pictures = bars_in(tmp_path / "bars", 160)
    first = train(pictures, {"model": "simple_cnn", "model.width": 4, "epochs": 1}, Options(out=tmp_path / "first"))
    run = train(pictures, {"weights": str(first.path)}, Options(out=tmp_path / "run"))
    assert "cross-validated answers to" in (run.path / "README.md").read_text()
    assert Run.open(run.path).config.decision["temperature"] != 1
