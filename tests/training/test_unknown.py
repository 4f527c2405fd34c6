"""What a training leaves to tell pictures of something else by."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sightline.decision import Answers, Prediction
from sightline.evaluation import strangers
from sightline.evaluation.runs import evaluate_run
from sightline.predictor import Predictor
from sightline.run import UNKNOWN
from sightline.training import unknown
from sightline.training.made_up import NUM_EACH, made_up
from sightline.training.options import Options
from sightline.training.train import train

from .test_train import bars_in

pytestmark = pytest.mark.usefixtures("default_plan", "one_thread")
SETTINGS = {"model": "simple_cnn", "model.width": 8, "epochs": 3}


def test_a_run_calls_noise_unknown(tmp_path: Path) -> None:
    run = train(bars_in(tmp_path / "bars", 1500), SETTINGS, Options(out=tmp_path / "run", num_workers=0))
    predictor, noise = Predictor.open(run.path), np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8)
    found = predictor.predict(noise)
    assert np.mean([answer.doubt == "unknown" for answer in found]) > 0.9
    assert all(answer.familiarity is not None and 0 < answer.familiarity <= 1 for answer in found)
    first = found[0]
    assert isinstance(first, Prediction) and first.line() == f"unknown  {first.label}?  input[0]"
    metrics = run.read_json("metrics.json")
    assert metrics["unknown"]["rate"] == 0.01 and metrics["unknown"]["num"] >= 99
    assert metrics["called_unknown"]["value"] < 0.05
    assert metrics["unknown"]["tried"]["knn"]["classes_taken_away"] is None  # of two classes
    assert "unknown" in (run.path / "report.html").read_text().lower()


def test_too_few_pictures_promise_nothing(tmp_path: Path) -> None:
    run = train(bars_in(tmp_path / "bars", 60), SETTINGS, Options(out=tmp_path / "run", num_workers=0))
    assert not (run.path / UNKNOWN).exists()
    answer = Predictor.open(run.path).predict(np.zeros((28, 28), np.uint8))[0]
    assert answer.familiarity is None and not answer.doubt
    assert "at least 19 are needed" in (run.path / "README.md").read_text()


def test_a_frozen_network_tells_by_the_pictures_that_its_head_was_fitted_on(tmp_path: Path) -> None:
    pictures = bars_in(tmp_path / "bars", 400)
    first = train(pictures, SETTINGS, Options(out=tmp_path / "first", num_workers=0))
    run = train(pictures, {"weights": str(first.path)}, Options(out=tmp_path / "run"))
    facts = run.read_json("metrics.json")["unknown"]
    assert facts["method"] == "knn_pixels" and facts["num"] > 250 and facts["tried"] == {}
    (tmp_path / "strange/link").parent.mkdir()
    (tmp_path / "strange/link").symlink_to(pictures, target_is_directory=True)
    tested, _ = evaluate_run(run.path)
    found = strangers.measure(strangers.predictor_of(run.path), tested, str(tmp_path / "strange"))
    assert found.num == 400, "also where a link leads"
    by_group = replace(tested, groups=np.arange(len(tested.rows)) // 10)
    wider = strangers.measure(strangers.predictor_of(run.path), by_group, str(pictures))
    alone = strangers.measure(strangers.predictor_of(run.path), tested, str(pictures))
    assert wider.auroc.value == alone.auroc.value and wider.auroc.interval != alone.auroc.interval
    assert Predictor.open(run.path).predict(np.zeros((28, 28), np.uint8))[0].familiarity is not None


def test_of_a_single_group_nothing_is_told() -> None:
    features = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    found = unknown.of_frozen(features, features, np.zeros(50, np.intp))
    assert found.unknown is None and "one group" in found.sentence


def test_a_method_is_chosen_by_what_it_finds() -> None:
    """Strange pictures lie in an unseen direction that no logit reads: nearest neighbours and ViM see them alone."""
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 3

    def known(labels: np.ndarray) -> Answers:
        logits = rng.normal(0, 0.3, (len(labels), 3)) + 4 * np.eye(3)[labels]
        features = np.concatenate([logits, rng.normal(0, 0.05, (len(labels), 3))], axis=1)
        looks = rng.normal(0, 1, (len(labels), 4))
        return Answers(*(values.astype(np.float32) for values in (logits, logits, features, looks)))

    strange = known(labels)
    strange.features[:, 3:] += 8
    found = unknown.chosen(known(labels), labels, known(labels), labels, strange, "single", 0.01)
    assert found.unknown is not None and found.unknown.method in ("combined", "knn_pixels", "knn", "vim")
    assert found.tried["energy"][1] < 0.7 < 0.99 < found.tried[found.unknown.method][1]
    plain = replace(known(labels), features=np.zeros((300, 0), np.float32))  # of a network with several heads
    by_logits = unknown.chosen(plain, labels, plain, labels, plain, "single", 0.01)
    assert by_logits.unknown is not None and set(by_logits.tried) == {"energy", "msp"}
    assert unknown.chosen(plain, labels, plain, labels, plain, "number", 0.01).unknown is None


@pytest.mark.parametrize("shape", [(28, 28, 1), (8, 8, 3), (3, 5, 1), (64, 48, 3)])
def test_made_up_pictures_are_a_function_of_the_seed(shape: tuple[int, int, int]) -> None:
    known = np.random.default_rng(0).integers(0, 256, (40, *shape), np.uint8)
    first, again, other = made_up(known, 0), made_up(known, 0), made_up(known, 1)
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert first.dtype == np.uint8 and first.shape == (NUM_EACH * (5 if min(shape[:2]) >= 4 else 4), *shape)
    assert len(made_up(known[:0], 0)) == NUM_EACH * 4
    if min(shape[:2]) >= 4:  # tiles are moved, and nothing else
        tiled = np.sort(first[-NUM_EACH:].reshape(NUM_EACH, -1), axis=1)
        assert {row.tobytes() for row in tiled} <= {np.sort(one.ravel()).tobytes() for one in known}
