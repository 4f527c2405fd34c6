"""The main job on small made pictures: it learns, repeats, stops on NaN, keeps to its budget."""

import json
import math
import os
import re
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from sightline import Classifier
from sightline.classifier import from_arrays
from sightline.errors import ConfigError, TrainingError
from sightline.predictor import Predictor
from sightline.report import Epoch
from sightline.training.options import Options
from sightline.training.progress import Silent
from sightline.training.safe import is_safe
from sightline.training.train import train
from sightline.training.writer import MetricsLog


def bars(num: int, seed: int = 0, side: int = 28) -> tuple[np.ndarray, list[str]]:
    """Grey pictures with a bar, lying or standing, on noise: what a convolution tells apart at once."""
    generator = np.random.default_rng(seed)
    pictures = generator.integers(0, 100, (num, side, side), dtype=np.uint8)
    labels = []
    for i, picture in enumerate(pictures):
        at = generator.integers(4, side - 4)
        if i % 2:
            picture[at : at + 2] = 250
        else:
            picture[:, at : at + 2] = 250
        labels.append("lying" if i % 2 else "standing")
    return pictures, labels


def bars_in(folder: Path, num: int) -> Path:
    """The same as a folder of PNG files; goes out: the folder."""
    for i, (picture, label) in enumerate(zip(*bars(num), strict=True)):
        (folder / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / label / f"{i:03}.png")
    return folder


class Lines(Silent):
    """Remembers what a training says."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


pytestmark = pytest.mark.usefixtures("default_plan")
FAST = {"model": "simple_cnn", "epochs": 3, "batch_size": 16, "learning_rate": 0.1, "model.width": 8}


@pytest.fixture(scope="module")
def run_path(tmp_path_factory: pytest.TempPathFactory, default_plan: None) -> Path:
    out = tmp_path_factory.mktemp("train") / "run"
    return train(from_arrays(*bars(300)), FAST, Options(out=out)).path


def test_it_learns(run_path: Path) -> None:
    metrics = json.loads((run_path / "metrics.json").read_text())
    assert metrics["accuracy"] > 0.9
    assert metrics["interval"][0] < metrics["accuracy"] < metrics["interval"][1] or metrics["accuracy"] == 1.0


def test_the_run_folder_is_complete_and_free_of_pickles(run_path: Path) -> None:
    names = {p.name for p in run_path.iterdir()}
    assert names == {
        "model.safetensors", "config.json", "recipe.toml", "split.csv", "metrics.jsonl", "metrics.json",
        "predictions.csv", "report.html", "README.md", "environment.json", "calibration.json",
        "unknown.safetensors",
    }  # fmt: skip
    for path in run_path.iterdir():
        assert not path.read_bytes().startswith((b"\x80\x02", b"\x80\x04", b"PK"))


def test_the_same_seed_gives_the_same_bits_and_another_does_not(run_path: Path, tmp_path: Path) -> None:
    again = train(from_arrays(*bars(300)), FAST, Options(out=tmp_path / "a")).path
    other = train(from_arrays(*bars(300)), FAST, Options(out=tmp_path / "b", seed=1)).path
    first, second, third = (load_file(p / "model.safetensors") for p in (run_path, again, other))
    assert all(torch.equal(first[k], second[k]) for k in first)
    assert not all(torch.equal(first[k], third[k]) for k in first)


def test_a_recipe_repeats_a_run(run_path: Path, tmp_path: Path) -> None:
    from sightline import config
    from sightline.training.resolve import settings_of

    settings = settings_of(config.read_toml(run_path / "recipe.toml"), [], {})
    again = train(from_arrays(*bars(300)), settings, Options(out=tmp_path / "a")).path
    first, second = (load_file(p / "model.safetensors") for p in (run_path, again))
    assert all(torch.equal(first[k], second[k]) for k in first)


def test_timm_hub_keys_are_there(run_path: Path) -> None:
    document = json.loads((run_path / "config.json").read_text())
    assert document["architecture"] == "simple_cnn" and document["num_classes"] == 2
    assert document["label_names"] == ["lying", "standing"]
    assert document["pretrained_cfg"]["input_size"] == [1, 28, 28]


def test_an_infinite_loss_stops_the_training(tmp_path: Path) -> None:
    settings = FAST | {"learning_rate": 100.0, "model.norm": "none", "warmup": 0.0, "epochs": 20}
    with pytest.raises(TrainingError, match=r"the loss is (nan|inf).* at step \d+ .*Try a lower rate"):
        train(from_arrays(*bars(300)), settings, Options(out=tmp_path / "run"))


def test_eight_pictures_can_be_learned_by_heart(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (16, 28, 28), dtype=np.uint8)
    labels = ["a", "b"] * 8
    settings = {"epochs": 60, "augment": [], "augment_if_safe": [], "label_smoothing": 0.0, "batch_size": 8}
    run = train(from_arrays(pictures, labels), settings, Options(out=tmp_path / "run"))
    lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["train_loss"] < 0.02 < lines[0]["train_loss"]


def test_a_fitted_head_is_epoch_0_and_its_weights_a_name(tmp_path: Path) -> None:
    """By itself, and before epochs of fine-tuning. Only the last part of the weights' path is told of."""
    pictures, labels = bars(200)
    first = train(from_arrays(pictures, labels), FAST, Options(out=tmp_path / "secret" / "first")).path
    for epochs in (0, 2):
        settings = {"weights": str(first), "epochs": epochs}
        run = train(from_arrays(pictures, labels), settings, Options(out=tmp_path / f"head{epochs}"))
        lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
        assert [line["epoch"] for line in lines] == [*range(epochs + 1)] and lines[0]["step"] == 0
        assert 0 < lines[0]["train_loss"] < 0.7 and (lines[0]["val_loss"] is None) == (epochs == 0)
        for name in ("README.md", "report.html"):
            text = (run.path / name).read_text(encoding="utf-8")
            assert "loaded from first" in text or name == "README.md"
            assert "secret" not in text.replace("".join(re.findall("<pre.*?</pre>", text, re.DOTALL)), "")
    report = (tmp_path / "head0" / "report.html").read_text(encoding="utf-8")
    assert "Only the head was fitted, so there is nothing to draw." in report


def test_a_budget_is_kept(tmp_path: Path) -> None:
    start = time.perf_counter()
    train(from_arrays(*bars(300)), {"batch_size": 16}, Options(out=tmp_path / "run", minutes=0.1))
    assert time.perf_counter() - start < 12


def test_best_weights_are_kept_and_patience_stops(tmp_path: Path) -> None:
    settings = FAST | {"epochs": 200, "patience": 2}
    run = train(from_arrays(*bars(200)), settings, Options(out=tmp_path / "run"))
    lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert len(lines) < 200
    best = min(range(len(lines)), key=lambda i: lines[i]["val_loss"])
    assert len(lines) == best + 1 + 2


def test_statistics_that_remember_long_follow_a_short_training(tmp_path: Path) -> None:
    """MobileNetV3's remember 100 steps, and there are 12: it answered at chance."""
    run = train(
        from_arrays(*bars(300)), {"model": "mobilenet_v3_small", "epochs": 4, "size": 32}, Options(out=tmp_path / "run")
    )
    assert run.read_json("metrics.json")["accuracy"] > 0.9


@pytest.mark.parametrize(("model", "optimizer"), [("lenet5", "sgd"), ("simple_cnn", "muon")])
def test_the_optimiser_is_what_the_network_bears(model: str, optimizer: str, tmp_path: Path) -> None:
    run = train(from_arrays(*bars(60)), {"model": model, "epochs": 1}, Options(out=tmp_path / "run"))
    assert f'optimizer = "{optimizer}"' in (run.path / "recipe.toml").read_text()


@pytest.mark.parametrize(("epochs", "steps"), [(0.5, 5), (1.25, 12), (0.001, 1)])
def test_fractions_of_epochs(epochs: float, steps: int, tmp_path: Path) -> None:
    """Of ten steps each; the last line of the history is where it ended, and the recipe says how much it was."""
    run = train(from_arrays(*bars(240)), FAST | {"epochs": epochs}, Options(out=tmp_path / "run"))
    lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == steps and len(lines) == math.ceil(epochs)
    assert f"epochs = {epochs}\n" in (run.path / "recipe.toml").read_text()


@pytest.mark.parametrize("balance", ["weights", "sampling", "logit_adjustment"])
def test_a_rare_class_is_made_up_for(balance: str, tmp_path: Path) -> None:
    pictures, labels = bars(400)
    keep = [i for i, label in enumerate(labels) if label == "lying" or i % 20 == 0]
    rare = from_arrays(pictures[keep], [labels[i] for i in keep])
    run = train(rare, FAST | {"balance": balance}, Options(out=tmp_path / "run"))
    answers = Predictor.open(run.path).predict(pictures[::2])
    assert sum(a.label == "standing" for a in answers) > 150
    assert "a world in which all are equally frequent" in (run.path / "report.html").read_text("utf-8")
    assert f"balance by {balance}" in (run.path / "report.html").read_text("utf-8")


def test_flip_is_switched_on_for_bars_and_off_for_arrows(tmp_path: Path) -> None:
    """Bars look the same in a mirror; arrows to the left become arrows to the right."""
    pictures, labels = bars(600)
    run = train(from_arrays(pictures, labels), FAST | {"epochs": 6}, Options(out=tmp_path / "bars"))
    assert "flip" in (run.path / "report.html").read_text().split("Augmentation")[1][:200]
    for picture, i in zip(pictures, range(600), strict=True):
        picture[:] = np.linspace(0, 200, 28)[:: 1 if i % 2 else -1] + picture // 5
    run = train(from_arrays(pictures, labels), FAST | {"epochs": 6}, Options(out=tmp_path / "arrows"))
    assert "flip" not in (run.path / "report.html").read_text().split("Augmentation")[1][:200]


def test_turns_are_tried_as_flips_are(tmp_path: Path) -> None:
    """A quarter turn makes a lying bar a standing one, a mirror image does not."""
    settings = FAST | {"epochs": 6, "augment_if_safe": ["quarter_turns", "vertical_flip", "rotation"]}
    progress = Lines()
    run = train(from_arrays(*bars(600)), settings, Options(out=tmp_path / "run"), progress)
    verdicts = {name: line for line in progress.lines for name in settings["augment_if_safe"] if line.startswith(name)}
    assert verdicts["quarter_turns"].endswith("left off")
    assert verdicts["vertical_flip"].endswith("switched on")
    assert "vertical_flip" in (run.path / "report.html").read_text().split("Augmentation")[1][:200]


@pytest.mark.parametrize("balance", ["none", "weights", "sampling", "focal", "logit_adjustment"])
def test_mixed_pictures_teach(balance: str, tmp_path: Path) -> None:
    settings = FAST | {"epochs": 8, "augment": ["pad_crop", "mixup", "cutmix"], "balance": balance}
    run = train(from_arrays(*bars(300)), settings, Options(out=tmp_path / "run"))
    assert json.loads((run.path / "metrics.json").read_text())["accuracy"] > 0.85


def test_the_safety_test_by_hand() -> None:
    labels = np.array([0] * 50 + [1] * 50)

    def counts(*rows: int) -> np.ndarray:
        found = np.zeros(100, np.int64)
        found[list(rows)] = 1
        return found

    assert is_safe(counts(), counts(), labels)
    assert is_safe(counts(0, 60), counts(1), labels)  # 2 lost, 1 won: noise
    assert not is_safe(counts(*range(0, 100, 5)), counts(), labels)  # 20 lost
    assert not is_safe(counts(*range(4)), counts(60, 61, 62, 63), labels)  # level over all, but one class loses all


def test_the_classifier_answers_as_the_run_does(tmp_path: Path) -> None:
    pictures, labels = bars(200)
    classifier = Classifier(**{k: v for k, v in FAST.items() if "." not in k}, model_options={"width": 8})
    fitted = classifier.fit(pictures, labels)
    assert fitted.classes_.tolist() == ["lying", "standing"]
    probabilities = fitted.predict_proba(pictures[:9])
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert (fitted.classes_[probabilities.argmax(axis=1)] == fitted.predict(pictures[:9])).all()
    assert fitted.score(pictures, labels) > 0.9
    fitted.save(tmp_path / "kept")
    assert np.array_equal(Classifier.load(tmp_path / "kept").predict_proba(pictures[:9]), probabilities)


def test_a_head_is_fitted_on_pretrained_features_and_its_recipe_repeats(tmp_path: Path) -> None:
    """Weights of an own run stand in for published ones: the features of bars tell bars of another size apart."""
    options = {"model": "lenet5", "epochs": 3, "batch_size": 16, "learning_rate": 0.02}
    first = train(from_arrays(*bars(300)), options, Options(out=tmp_path / "first"))
    other = from_arrays(*bars(80, seed=5))
    second = train(other, {"weights": str(first.path)}, Options(out=tmp_path / "second"))
    assert json.loads((second.path / "metrics.json").read_text())["accuracy"] > 0.8
    body = (load_file(p.path / "model.safetensors") for p in (first, second))
    a, b = body
    assert [k for k in sorted(a) if not torch.equal(a[k], b[k])] == ["classifier.head.bias", "classifier.head.weight"]

    from sightline import config
    from sightline.training.resolve import settings_of

    settings = settings_of(config.read_toml(second.path / "recipe.toml"), [], {})
    third = train(other, settings, Options(out=tmp_path / "third"))
    c = load_file(third.path / "model.safetensors")
    assert all(torch.equal(b[k], c[k]) for k in b)


def test_augmentations_named_twice_are_refused() -> None:
    from sightline.errors import ConfigError

    with pytest.raises(ConfigError, match="twice"):
        train("anywhere", {"augment": ["flip", "flip"]})


def test_a_name_that_is_no_text_is_refused_before_a_folder_is_made(tmp_path: Path) -> None:
    data = tmp_path / os.fsdecode(b"caf\xe9")
    data.mkdir()
    with pytest.raises(ConfigError, match="no UTF-8 text"):
        train(data, {}, Options(out=tmp_path / "runs/x"))
    assert not (tmp_path / "runs").exists()


def test_batches_of_one_are_refused_where_pictures_are_compared(tmp_path: Path) -> None:
    settings = {"model": "simple_cnn", "epochs": 1, "batch_size": 1}
    with pytest.raises(ConfigError, match="takes two pictures at least"):
        train(from_arrays(*bars(40)), settings, Options(out=tmp_path / "run"))


def test_a_log_that_cannot_be_written_is_written_in_the_end(tmp_path: Path) -> None:
    with MetricsLog(tmp_path, False, "accuracy") as log:
        log(Epoch(1, 10, 2.0, 1.5, 0.5, 1e-3, 3.0))
        whole, log.file = log.file, Path("/dev/full").open("w")  # noqa: SIM115
        log(Epoch(2, 20, 1.0, 1.0, 0.6, 1e-3, 3.0))
        whole.close()
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]
