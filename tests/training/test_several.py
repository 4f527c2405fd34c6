"""Several labels a picture, from pictures to a run, its answers and its report."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression

from sightline import Classifier, Predictor, load
from sightline.classifier import from_arrays
from sightline.decision import MultiDecision, MultiPrediction
from sightline.errors import DataError, RunError
from sightline.evaluation.runs import evaluate_run
from sightline.run import Run
from sightline.training.objectives import build
from sightline.training.options import Options
from sightline.training.recipe import Recipe
from sightline.training.train import train


def crosses(num: int, seed: int = 0, side: int = 28) -> tuple[np.ndarray, list[list[str]]]:
    """Grey pictures with a lying bar, a standing one, both or none, on noise."""
    generator = np.random.default_rng(seed)
    pictures = generator.integers(0, 100, (num, side, side), dtype=np.uint8)
    labels: list[list[str]] = []
    for picture in pictures:
        carried = []
        for name in ("lying", "standing"):
            at = generator.integers(4, side - 4)
            if generator.random() < 0.4:
                carried.append(name)
                picture[(slice(at, at + 2),) if name == "lying" else (slice(None), slice(at, at + 2))] = 250
        labels.append(carried)
    return pictures, labels


FAST = {"model": "simple_cnn", "epochs": 4, "batch_size": 16, "learning_rate": 0.1, "model.width": 8}


@pytest.fixture(scope="module")
def run_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("several") / "run"
    return train(from_arrays(*crosses(400)), FAST, Options(out=out)).path


def test_it_learns_and_says_so(run_path: Path) -> None:
    measured = json.loads((run_path / "metrics.json").read_text())
    assert measured["mean_average_precision"] > 0.9 and measured["exact_match"]["value"] > 0.7
    low, high = measured["interval"]
    assert low <= measured["mean_average_precision"] <= high
    assert "accuracy" not in measured and len(measured["per_label"]) == 2
    lines = [json.loads(line) for line in (run_path / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["val_mean_average_precision"] > 0.9 and lines[-1]["val_loss"] < lines[0]["val_loss"]


def test_the_run_holds_its_task_its_thresholds_and_a_format_that_older_versions_refuse(run_path: Path) -> None:
    own = json.loads((run_path / "config.json").read_text())["sightline"]
    assert own["task"] == "multi" and own["format"] == 5  # calibrated class by class
    assert all(0 < t < 1 for t in own["decision"]["thresholds"])
    decision = Predictor.open(run_path).decision
    assert decision == MultiDecision(**{name: tuple(values) for name, values in own["decision"].items()})
    assert len(decision.temperatures) == len(decision.biases) == 2
    with (run_path / "split.csv").open() as file:
        labels = {line["label"] for line in csv.DictReader(file)}
    assert labels == {"", "lying", "standing", "lying;standing"}


def test_predictions_csv_says_what_is_answered(run_path: Path) -> None:
    thresholds = json.loads((run_path / "config.json").read_text())["sightline"]["decision"]["thresholds"]
    with (run_path / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "labels", "predicted", "p_lying", "p_standing"]
    for row in rows:
        over = [n for n, t in zip(("lying", "standing"), thresholds, strict=True) if float(row[f"p_{n}"]) >= t]
        assert row["predicted"] == ";".join(over)


def test_probabilities_are_calibrated_wherever_they_are_given(run_path: Path) -> None:
    measured = json.loads((run_path / "metrics.json").read_text())
    assert measured["log_loss"] != measured["uncalibrated"]["log_loss"] and len(measured["label_ece"]) == 2
    pictures, _ = crosses(3)
    predictor = Predictor.open(run_path)
    logits = predictor.logits([picture[:, :, None] for picture in pictures])
    given = [list(answer.probabilities.values()) for answer in predictor.predict(pictures)]
    assert np.array(given) == pytest.approx(predictor.decision.outputs(logits), abs=1e-3)
    assert abs(np.array(given) - MultiDecision().outputs(logits)).max() > 1e-3
    page = (run_path / "report.html").read_text()
    assert "How sure it is" in page and "a temperature and a bias for each class, and thresholds" in page


def test_a_run_from_before_calibration_answers_as_it_did(run_path: Path, tmp_path: Path) -> None:
    for path in run_path.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    document = json.loads((tmp_path / "config.json").read_text())
    document["sightline"]["decision"] = {"thresholds": [0.25, 0.75]}
    (tmp_path / "config.json").write_text(json.dumps(document))
    (tmp_path / "calibration.json").unlink()
    pictures, _ = crosses(3)
    predictor = Predictor.open(tmp_path)
    assert predictor.decision == MultiDecision((0.25, 0.75))
    expected = MultiDecision().outputs(predictor.logits([picture[:, :, None] for picture in pictures]))
    given = [list(answer.probabilities.values()) for answer in predictor.predict(pictures)]
    assert np.array(given) == pytest.approx(expected, abs=1e-6)


def test_a_run_without_thresholds_is_refused(run_path: Path, tmp_path: Path) -> None:
    for path in run_path.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    document = json.loads((tmp_path / "config.json").read_text())
    document["sightline"]["decision"] = {}
    (tmp_path / "config.json").write_text(json.dumps(document))
    with pytest.raises(RunError, match="thresholds"):
        Predictor.open(tmp_path)


def test_a_run_of_the_first_version_still_opens(tmp_path: Path) -> None:
    pictures, labels = crosses(60)
    names = ["a" if "lying" in carried else "b" for carried in labels]
    path = train(from_arrays(pictures, names), {**FAST, "epochs": 1}, Options(out=tmp_path / "run")).path
    before = [p.probability for p in Predictor.open(path).predict(pictures[:5])]
    document = json.loads((path / "config.json").read_text())
    assert document["sightline"]["format"] == 1
    del document["sightline"]["task"], document["sightline"]["decision"]
    (path / "config.json").write_text(json.dumps(document))
    assert Run.open(path).config.task == "single"
    assert [p.probability for p in Predictor.open(path).predict(pictures[:5])] == before


def test_the_page_and_the_card_show_what_fits(run_path: Path) -> None:
    page, card = (run_path / "report.html").read_text(), (run_path / "README.md").read_text()
    for text in ("mean average precision", "Threshold", "Exact match", "Most surely missed", "By chance"):
        assert text in page
    assert "Confusion" not in page and "What is taken for what" not in page
    assert '"type": "mean_average_precision"' in card and "| Class | Pictures | Average precision |" in card


def test_a_classifier_has_scikit_learns_shapes(tmp_path: Path) -> None:
    pictures, labels = crosses(300)
    settings = {k: v for k, v in FAST.items() if "." not in k}
    classifier = Classifier(**settings, model_options={"width": 8}).fit(pictures, labels)
    assert classifier.classes_.tolist() == ["lying", "standing"]
    probabilities, answers = classifier.predict_proba(pictures[:20]), classifier.predict(pictures[:20])
    assert probabilities.shape == answers.shape == (20, 2) and set(np.unique(answers)) <= {0, 1}
    truth = np.array([[name in carried for name in ("lying", "standing")] for carried in labels], np.uint8)
    expected = float((classifier.predict(pictures) == truth).all(axis=1).mean())
    assert expected > 0.7
    assert classifier.score(pictures, labels) == classifier.score(pictures, truth) == expected
    classifier.save(tmp_path / "kept")
    assert np.array_equal(load(tmp_path / "kept").predict_proba(pictures[:20]), probabilities)
    with pytest.raises(DataError, match="'bent' is not among the classes"):
        classifier.score(pictures[:1], [["bent"]])


def test_labels_of_two_kinds_are_refused() -> None:
    pictures, _ = crosses(2)
    with pytest.raises(DataError, match="some labels are lists of names, but 'x' is not"):
        from_arrays(pictures, [["a"], "x"])
    with pytest.raises(DataError, match="must hold 0 and 1"):
        from_arrays(pictures, np.array([[0, 2], [1, 0]]))


def test_an_indicator_is_taken_as_it_is() -> None:
    pictures, _ = crosses(2)
    data = from_arrays(pictures, np.array([[False, True], [True, True]]))
    assert data.task == "multi" and data.classes == ("0", "1") and data.labels.tolist() == [[0, 1], [1, 1]]


def test_the_loss_is_the_mean_over_classes_by_hand() -> None:
    labels = np.array([[1, 0], [0, 0], [1, 1], [1, 0]], np.uint8)
    logits = torch.tensor([[2.0, -1.0]])
    loss = build(labels, 2, Recipe(label_smoothing=0.0)).loss(logits, torch.tensor([[1, 1]], dtype=torch.uint8))
    assert loss.item() == pytest.approx(float(F.softplus(torch.tensor(-2.0)) + F.softplus(torch.tensor(1.0))) / 2)
    balanced = build(labels, 2, Recipe(label_smoothing=0.0, balance="weights"))
    loss = balanced.loss(logits, torch.tensor([[1, 1]], dtype=torch.uint8))  # 1 negative for 3, 3 for 1
    expected = F.softplus(torch.tensor(-2.0)) / 3 + 3 * F.softplus(torch.tensor(1.0))
    assert loss.item() == pytest.approx(float(expected) / 2)


def test_a_head_is_scikit_learns_logistic_regressions() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(0, 1, (200, 5)).astype(np.float32)
    labels = (x @ generator.normal(0, 1, (5, 3)) + generator.normal(0, 1, (200, 3)) > 0.5).astype(np.uint8)
    objective = build(labels, 3, Recipe(label_smoothing=0.0))
    ((w, b),) = objective.solve(torch.from_numpy(x), torch.from_numpy(labels), (0.1,))
    for k in range(3):
        reference = LogisticRegression(C=1 / (0.1 * 200), tol=1e-8, max_iter=1000).fit(x, labels[:, k])
        assert w[k].numpy() == pytest.approx(reference.coef_[0], abs=2e-3)
        assert b[k].item() == pytest.approx(float(reference.intercept_[0]), abs=2e-3)


def test_forty_rare_classes_train_without_blowing_up(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 256, (300, 28, 28), dtype=np.uint8)
    labels = (generator.random((300, 40)) < 0.05).astype(np.uint8)
    run = train(from_arrays(pictures, labels), {**FAST, "epochs": 2}, Options(out=tmp_path / "run"))
    assert np.isfinite(run.read_json("metrics.json")["mean_average_precision"])


def test_flips_are_judged_by_class(tmp_path: Path) -> None:
    """A bright left half is another class in the mirror; bars are not."""
    pictures, labels = crosses(900)
    said: list[str] = []

    class Listener:
        def say(self, text: str) -> None:
            said.append(text)

        def track(self, items, total, what):  # type: ignore[no-untyped-def]
            return items

        def step(self, step: int, total: int, figures: str) -> None: ...

    train(from_arrays(pictures, labels), FAST | {"epochs": 6}, Options(out=tmp_path / "bars"), Listener())
    assert any(line.startswith("flip: ") and line.endswith("switched on") for line in said), said
    for i, picture in enumerate(pictures):
        picture[:, : 14 if i % 2 else 28] |= 128 if i % 2 else 0
        labels[i] = [*labels[i], "left"] if i % 2 else labels[i]
    pictures[::2, :, 14:] |= 128
    said.clear()
    train(from_arrays(pictures, labels), FAST | {"epochs": 6}, Options(out=tmp_path / "left"), Listener())
    assert any(line.startswith("flip: ") and line.endswith("left off") for line in said), said


def test_a_table_is_trained_evaluated_and_predicted_by_the_same_commands(tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    from PIL import Image

    from sightline.cli import main

    pictures, labels = crosses(120)
    for i, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
    rows = [f"{i}.png,{'|'.join(carried)},p{i // 3}" for i, carried in enumerate(labels)]
    (tmp_path / "bars.csv").write_text("\n".join(["path,labels,group", *rows]) + "\n")
    words = [str(tmp_path / "bars.csv"), "--out", str(tmp_path / "run"), "--epochs", "2", "--set", "batch_size=16"]
    assert main(["train", *words]) == 0
    assert "with any of 2 classes" in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path / "run")]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("mean average precision ") and "Hamming loss" in shown
    assert main(["evaluate", str(tmp_path / "run"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    kept = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert {k: v for k, v in kept.items() if k not in ("interrupted", "without_tta", "unknown")} == found
    assert main(["predict", str(tmp_path / "run"), str(tmp_path / "0.png"), "--csv"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "path,labels,p_lying,p_standing,doubt,error"
    assert main(["predict", str(tmp_path / "run"), str(tmp_path / "0.png"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"path", "labels", "probabilities", "familiarity", "doubt"}
    assert isinstance(answer["labels"], list)
    tested, names = evaluate_run(tmp_path / "run", tmp_path / "bars.csv", "train")
    assert names == ("lying", "standing") and tested.groups is not None
    assert isinstance(Predictor.open(tmp_path / "run").predict(pictures[0])[0], MultiPrediction)


def test_cell_types_of_real_microscope_pictures(shared: Path, tmp_path: Path) -> None:
    """A table made from the boxes of bccd: read, described and split, the rare absence of white cells on both sides."""
    import xml.etree.ElementTree as ET
    import zipfile

    from sightline.data import open_dataset
    from sightline.data.split import split

    with zipfile.ZipFile(shared / "data" / "bccd.zip") as archive:
        archive.extractall(tmp_path)
    rows = []
    for path in sorted(tmp_path.glob("bccd/Annotations/*.xml")):
        found = {name.text or "" for name in ET.parse(path).getroot().iter("name")}
        rows.append(f"JPEGImages/{path.stem}.jpg,{';'.join(sorted(found))}")
    (tmp_path / "bccd/cells.csv").write_text("\n".join(["path,labels", *rows]) + "\n")
    data = open_dataset(tmp_path / "bccd/cells.csv")
    assert data.classes == ("Platelets", "RBC", "WBC") and data.counts().tolist() == [201, 349, 358]
    parts = split(data)
    for name in ("train", "test"):
        assert (data.labels[parts.rows(name)] == 0).any(axis=0).all()
