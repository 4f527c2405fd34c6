"""Sets of classes: scores by hand, the promise over many simulated draws, what cannot be promised, the commands."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.training.test_train import bars_in

from sightline.cli import main
from sightline.decision import Decision, sets
from sightline.decision.sets import METHODS, fitted, opened, scores, true_scores
from sightline.errors import ConfigError, RunError
from sightline.evaluation.evaluate import Evaluation
from sightline.evaluation.runs import evaluate_run
from sightline.evaluation.sets import SetsMeasured, measure_sets, measure_sets_by
from sightline.predictor import Predictor, open_sets
from sightline.report.where import set_lines, set_lines_by
from sightline.run import CALIBRATION, Run
from sightline.slicing import Gaps
from sightline.training.options import Options
from sightline.training.train import train

NAMES = tuple(f"k{i}" for i in range(20))


def test_scores_by_hand() -> None:
    one = np.array([[0.2, 0.5, 0.3]])
    assert scores(one, "lac") == pytest.approx(np.array([[0.8, 0.5, 0.7]]))
    assert scores(one, "aps") == pytest.approx(np.array([[0.8, 0.0, 0.5]]))
    assert scores(one, "raps") == pytest.approx(np.array([[0.9, 0.0, 0.5]]))  # a tenth for the third place
    with pytest.raises(ConfigError, match="Did you mean raps"):
        scores(one, "rasp")


def drawn(generator: np.random.Generator, num: int, sharpness: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (num, 20), of a network that is sharper than it should be, and labels."""
    logits = generator.normal(0, 2, (num, len(NAMES)))
    cumulated = Decision().outputs(logits.astype(np.float32)).cumsum(axis=1)
    labels = (generator.random((num, 1)) > cumulated).sum(axis=1).clip(max=len(NAMES) - 1)
    return Decision(1 / sharpness).outputs(logits.astype(np.float32)), labels


def known(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, object]:
    return {"labels": labels.tolist(), "scores": true_scores(probabilities, labels)}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sharpness", [1.0, 3.0])
def test_the_promise_is_kept_whatever_the_network_says(method: str, sharpness: float) -> None:
    """Over draws of 100 calibration pictures the coverage is 0.9 to 0.9 + 1/101 in the mean, and spreads as a beta
    distribution (Vovk, 2012), by 0.03; more of it where the most probable class would not be in of itself."""
    generator = np.random.default_rng(0)
    probabilities, labels = drawn(generator, 60_000, sharpness)
    covered, held = [], []
    for part in np.split(generator.permutation(60_000), 300):
        chosen, tested = part[:100], part[100:]
        made = fitted(known(probabilities[chosen], labels[chosen]), NAMES, 0.1, method)
        own = scores(probabilities[tested], method)[np.arange(100), labels[tested]]
        covered.append((own <= made.thresholds[0]).mean())
        held.append(made.members(probabilities[tested])[np.arange(100), labels[tested]].mean())
    assert 0.9 - 0.006 < np.mean(covered) < 0.9 + 0.01 + 0.006  # three standard errors
    assert np.mean(held) >= np.mean(covered)
    assert np.std(covered) == pytest.approx(np.hypot(0.03, 0.03), abs=0.006)  # and that of 100 tested ones


def test_lac_has_the_smallest_sets_and_raps_no_large_ones() -> None:
    probabilities, labels = drawn(np.random.default_rng(1), 20_000)
    calibration = known(probabilities[:5000], labels[:5000])
    sizes = {m: fitted(calibration, NAMES, 0.1, m).members(probabilities[5000:]).sum(axis=1) for m in METHODS}
    assert sizes["lac"].mean() < min(sizes["raps"].mean(), sizes["aps"].mean())
    assert sizes["raps"].max() < sizes["aps"].max()


def test_by_class_the_promise_holds_for_each() -> None:
    generator = np.random.default_rng(2)
    labels = generator.integers(0, 2, 40_000)
    logits = np.where(labels == 0, 1.0, 0.3)[:, None] * np.stack([1 - 2 * labels, 2 * labels - 1], 1)
    probabilities = Decision().outputs((logits + generator.normal(0, 1, (40_000, 2))).astype(np.float32))
    calibration, tested = known(probabilities[:20_000], labels[:20_000]), slice(20_000, None)
    coverage = {}
    for by_class in (False, True):
        members = fitted(calibration, ("a", "b"), 0.1, "lac", by_class).members(probabilities[tested])
        held = members[np.arange(20_000), labels[tested]]
        coverage[by_class] = [held[labels[tested] == k].mean() for k in (0, 1)]
    assert min(coverage[False]) < 0.86 and max(coverage[False]) > 0.93
    assert min(coverage[True]) > 0.89


@pytest.mark.parametrize(("num", "error", "needed"), [(8, 0.1, 9), (98, 0.01, 99), (0, 0.5, 1)])
def test_what_cannot_be_promised_says_how_many_it_takes(num: int, error: float, needed: int) -> None:
    probabilities, labels = drawn(np.random.default_rng(0), needed)
    with pytest.raises(ConfigError, match=f"it takes {needed} of them"):
        fitted(known(probabilities[:num], labels[:num]), NAMES, error)
    assert fitted(known(probabilities, labels), NAMES, error).num == needed


@pytest.mark.parametrize("error", [0.0, 1.0, -0.1, float("nan")])
def test_a_rate_of_error_lies_between(error: float) -> None:
    with pytest.raises(ConfigError, match="between 0 and 1"):
        fitted(known(*drawn(np.random.default_rng(0), 50)), NAMES, error)


def test_a_class_without_calibration_pictures_is_named() -> None:
    probabilities, labels = drawn(np.random.default_rng(0), 400)
    kept = labels != 7
    with pytest.raises(ConfigError, match="with 0 calibration pictures of 'k7'"):
        fitted(known(probabilities[kept], labels[kept]), NAMES, 0.5, by_class=True)


NAN = {method: [float("nan")] * 2 for method in METHODS}


@pytest.mark.parametrize(
    "changes", [{"labels": [0, 99]}, {"labels": "x"}, {"scores": {}}, {"labels": [0]}, {"scores": NAN}]
)
def test_damage_is_named(changes: dict[str, object]) -> None:
    good = {"labels": [0, 1], "scores": {m: [0.5, 0.6] for m in METHODS}}
    assert opened(good, 2, "here") == good
    with pytest.raises(RunError, match="here is damaged"):
        opened(good | changes, 2, "here")


def test_the_most_probable_class_is_always_in() -> None:
    made = sets.Sets(0.5, "lac", (0.01, 0.01), 10)
    assert made.members(np.array([[0.6, 0.4], [0.5, 0.5]])).tolist() == [[True, False], [True, False]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    place = tmp_path_factory.mktemp("sets")
    settings = {"model": "simple_cnn", "model.width": 4, "epochs": 2}
    return train(bars_in(place / "bars", 800), settings, Options(out=place / "run", num_workers=0, plan="off"))


def test_a_run_answers_with_sets_and_measures_them(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    picture = next((run.path.parent / "bars").rglob("*.png"))
    assert main(["predict", str(run.path), str(picture), "--sets", "0.1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["label"] in answer["set"] and set(answer["set"]) <= set(answer["probabilities"])
    assert main(["predict", str(run.path), str(picture), "--sets", "0.1", "--csv"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "path,label,probability,set,doubt,error"
    assert main(["predict", str(run.path), str(picture), "--sets", "0.1"]) == 0
    assert "{" in capsys.readouterr().out
    assert main(["evaluate", str(run.path), "--sets", "0.2", "--sets-by", "lac", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["sets"]
    assert found["method"] == "lac" and found["error"] == 0.2 and found["coverage"]["value"] > 0.6
    assert main(["evaluate", str(run.path), "--sets", "0.2", "--by", "brightness"]) == 0
    printed = capsys.readouterr().out
    assert "Sets that are to hold the right class of 80" in printed and "  brightness, sets" in printed
    assert main(["evaluate", str(run.path), "--sets", "0.2", "--by", "brightness", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["sets_by"][0]) == len(found["by"][0]["values"]) and "codes" not in found["by"][0]
    assert "Sets of classes" in (run.path / "report.html").read_text()


def test_how_sets_are_made_without_asking_for_any_is_an_error(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    picture = next((run.path.parent / "bars").rglob("*.png"))
    for words in (
        ["predict", str(run.path), str(picture), "--sets-by", "aps"],
        ["evaluate", str(run.path), "--by-class"],
    ):
        assert main(words) == 4
        assert "ask for sets too" in capsys.readouterr().err


def test_pictures_that_made_a_promise_are_counted_aloud(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(run.path), "--split", "calibration", "--sets", "0.1", "--json"]) == 0
    printed = capsys.readouterr()
    num = json.loads(printed.out)["num_calibrated"]
    assert num == sum(line["split"] == "calibration" for line in run.split())
    assert f"{num} of these pictures selected or calibrated" in printed.err
    assert main(["evaluate", str(run.path), "--json"]) == 0
    assert "num_calibrated" not in json.loads(capsys.readouterr().out)


def test_what_is_measured_is_counted(run: Run) -> None:
    made = open_sets(run, 0.1, "aps")
    tested, classes = evaluate_run(run.path)
    found = measure_sets(tested, made, classes)
    assert isinstance(made, sets.Sets) and isinstance(found, SetsMeasured)
    members = made.members(tested.outputs)
    assert found.coverage.value == members[np.arange(len(tested.rows)), tested.labels].mean()
    assert found.mean_size == members.sum() / len(members) and [one.name for one in found.classes] == list(classes)


def test_of_each_class_and_of_each_part_by_hand() -> None:
    """Sets by lac at 0.4 hold what has 0.6 and more, and always the most probable."""
    outputs = np.array([[0.7, 0.3], [0.55, 0.45], [0.2, 0.8], [0.9, 0.1]])
    rows, labels = np.arange(4), np.array([0, 1, 1, 1])
    decided, hashes = outputs.argmax(axis=1), list("abcd")
    tested = Evaluation("test", rows, labels, outputs.astype(np.float32), outputs, decided, hashes)
    made = sets.Sets(0.1, "lac", (0.5, 0.5), 50)
    found = measure_sets(tested, made, ("x", "y"))
    assert isinstance(found, SetsMeasured)
    assert [(one.name, one.count, one.coverage.value, one.mean_size) for one in found.classes] == [
        ("x", 1, 1.0, 1.0),
        ("y", 3, pytest.approx(1 / 3), 1.0),
    ]
    codes = np.array([1, 0, 1, 0])
    each = measure_sets_by(tested, made, ("x", "y"), codes)
    assert [one.coverage.value for one in each] == [0.0, 1.0]  # type: ignore[union-attr]
    assert tested.of(codes == 1).hashes == ["a", "c"]
    gaps = Gaps("camera", ("u", "v"), (2, 2), codes, ())
    assert set_lines(found)[1:] == [
        "100.0%  20.7% to 100.0%           1.00         1  x",
        " 33.3%    6.1% to 79.2%           1.00         3  y",
    ]
    assert set_lines_by(gaps, each) == [
        "  held    95 % interval  classes a set  pictures  camera, sets",
        "  0.0%    0.0% to 65.8%           1.00         2  u",
        "100.0%  34.2% to 100.0%           1.00         2  v",
    ]


def test_runs_without_calibration_pictures_and_other_tasks_are_told(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = (run.path / CALIBRATION).read_bytes()
    try:
        (run.path / CALIBRATION).unlink()
        assert main(["evaluate", str(run.path), "--sets", "0.1"]) == 7
        assert "has no calibration.json" in capsys.readouterr().err
        assert Predictor.open(run.path).predict(np.zeros((28, 28), np.uint8))
    finally:
        (run.path / CALIBRATION).write_bytes(kept)
    with pytest.raises(RunError, match="is damaged"):
        open_sets(replace(run, config=replace(run.config, task="multi")), 0.1)
    assert main(["predict", str(run.path), "x.png", "--sets", "0.001"]) == 4
    assert "it takes 999 of them" in capsys.readouterr().err
