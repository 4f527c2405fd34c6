"""A search tries settings on the pictures that select, goes on after a kill, and tests once."""

import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sightline import config, resume_tune, tune
from sightline.classifier import from_arrays
from sightline.data import open_dataset
from sightline.data.dataset import FileImages
from sightline.data.packs.canvases import Canvases
from sightline.errors import ConfigError, DataError, MissingExtraError, RunError, TrainingError
from sightline.run import Run
from sightline.training import loop, prepare, train
from sightline.training.options import Options
from sightline.training.recipe import Recipe
from sightline.training.tuning import trying
from sightline.training.tuning.space import BALANCES, FIXED, RANGES, Space, space_of
from sightline.training.tuning.trying import _all_of, _Clock
from sightline.training.tuning.tune import Tuned

from ..dying import DYING, surroundings
from ..test_train import Lines, bars, bars_in

pytestmark = pytest.mark.usefixtures("default_plan", "one_thread")
SETTINGS = {
    "model": "simple_cnn",
    "epochs": 2,
    "batch_size": 16,
    "model.width": 8,
    "augment": ["pad_crop"],
    "augment_if_safe": [],
}
FIELDS = ("learning_rate", "warmup")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bars_in(tmp_path_factory.mktemp("pictures") / "bars", 160)


def in_folder(out: Path, **changes: object) -> Options:
    return Options(**({"num_workers": 0, "out": out} | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def undisturbed(pictures: Path, default_plan: None, one_thread: None) -> Tuned:
    return tune(pictures, SETTINGS, in_folder(pictures.parent / "undisturbed"), 4, FIELDS)


def comparable(tuned: Tuned) -> list[object]:
    """All of the trials but the time they took."""
    return [replace(trial, seconds=0.0) for trial in tuned.trials]


def lines_of(run: Run) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}


# What a search leaves


def test_the_defaults_are_tried_first_and_the_best_can_only_be_better(undisturbed: Tuned) -> None:
    first = undisturbed.trials[0]
    assert first.settings == {"learning_rate": 0.1, "warmup": 0.1}
    assert len({tuple(trial.settings.items()) for trial in undisturbed.trials}) == 4
    assert undisturbed.best.loss == min(t.loss for t in undisturbed.trials if t.state == "complete")


def test_the_run_is_the_training_of_the_best_trial_once_more(undisturbed: Tuned) -> None:
    last = lines_of(undisturbed.run)[-1]
    assert (last["val_loss"], last["val_accuracy"]) == (undisturbed.best.loss, undisturbed.best.figure)
    assert undisturbed.run.read_json("metrics.json")["split"] == "test"


def test_the_recipe_is_one_that_train_takes_and_trains_likewise(
    undisturbed: Tuned, pictures: Path, tmp_path: Path
) -> None:
    found = config.read_toml(undisturbed.path / "recipe.toml")
    assert {name: found[name] for name in FIELDS} == undisturbed.best.settings
    options = found.pop("model_options")
    again = train.train(pictures, found | {f"model.{k}": v for k, v in options.items()}, in_folder(tmp_path / "again"))
    assert lines_of(again)[-1]["val_loss"] == undisturbed.best.loss


def test_trials_csv_has_a_row_for_each(undisturbed: Tuned) -> None:
    rows = list(csv.DictReader((undisturbed.path / "trials.csv").read_text("utf-8").splitlines()))
    assert [int(row["trial"]) for row in rows] == [1, 2, 3, 4]
    for row, trial in zip(rows, undisturbed.trials, strict=True):
        assert float(row["selection_loss"]) == trial.loss
        assert float(row["selection_accuracy"]) == trial.figure
        assert row["state"] == trial.state
        assert float(row["learning_rate"]) == trial.settings["learning_rate"]


def test_the_report_says_of_how_many_these_are_the_best(undisturbed: Tuned) -> None:
    for name in ("report.html", "README.md"):
        assert "best of 4 that were tried" in (undisturbed.run.path / name).read_text("utf-8"), name


def test_the_same_seed_tries_the_same_and_another_does_not(undisturbed: Tuned, pictures: Path, tmp_path: Path) -> None:
    again = tune(pictures, SETTINGS, in_folder(tmp_path / "again"), 4, FIELDS)
    assert comparable(again) == comparable(undisturbed)
    other = tune(pictures, SETTINGS, in_folder(tmp_path / "other", seed=1), 2, FIELDS)
    assert other.trials[1].settings != undisturbed.trials[1].settings


@pytest.mark.parametrize(
    ("unfreeze", "searched"),
    [("all", {"learning_rate", "weight_decay", "augment"}), ("top", {"learning_rate", "weight_decay"})],
)
def test_fine_tuning_is_searched_and_the_head_alone_is_not(
    undisturbed: Tuned, pictures: Path, tmp_path: Path, unfreeze: str, searched: set[str]
) -> None:
    weights = str(undisturbed.run.path)
    settings = {"weights": weights, "batch_size": 16, "augment_if_safe": [], "unfreeze": unfreeze}
    with pytest.raises(ConfigError, match="nothing to search: with epochs = 0 the head alone is fitted"):
        tune(pictures, settings, in_folder(tmp_path / "out"), 2)
    assert not (tmp_path / "out").exists()
    tuned = tune(pictures, settings | {"epochs": 1}, in_folder(tmp_path / "out"), 2)
    assert set(tuned.best.settings) == searched
    kept = min(lines_of(tuned.run), key=lambda line: line["val_loss"])  # epoch 0 is the head alone
    assert kept["val_loss"] == tuned.best.loss


# No leak


def test_no_picture_that_tests_is_opened_before_the_search_is_over(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = open_dataset(pictures)
    tests = set(np.asarray(dataset.paths)[prepare.open_table(pictures, None, None, Lines()).parts.rows("test")])
    asked, over, encoded = set[str](), list[set[str]](), FileImages.encoded

    def noting(images: FileImages, row: int) -> bytes:
        asked.add(images.names[row])
        return encoded(images, row)

    monkeypatch.setattr(FileImages, "encoded", noting)
    usual = train.train

    def final(*arguments: object, **named: object) -> Run:
        over.append(set(asked))
        return usual(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(train, "train", final)
    tune(pictures, SETTINGS, in_folder(tmp_path / "out", cache=False), 2, FIELDS)
    assert len(over) == 1
    assert len(over[0]) == len(dataset) - len(tests)
    assert not over[0] & tests
    assert asked >= tests


def test_pictures_are_decoded_once_for_all_trials(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    usual = prepare.decode
    monkeypatch.setattr(prepare, "decode", lambda *args: calls.append(1) or usual(*args))
    tune(pictures, SETTINGS, in_folder(tmp_path / "out"), 3, FIELDS)
    assert len(calls) == 2  # the search, and its last training


def test_rows_without_a_picture_are_a_mistake_to_ask_for() -> None:
    from sightline.data.packs.cache import Cache
    from sightline.data.preprocess import Preprocessing

    kept: list[np.ndarray | None] = [np.full((2, 2, 1), value, np.uint8) for value in (7, 8)]
    dataset = from_arrays(*bars(2))
    canvases = Canvases(dataset.images, Preprocessing(2, 2, 1), Cache.default(print), None, kept)
    spread = canvases.spread(np.array([0, -1, 1]))
    assert [int(spread[row][0, 0, 0]) for row in (0, 2)] == [7, 8]
    with pytest.raises(AssertionError):
        spread[1]


# Trials that end early


def test_a_hopeless_trial_is_ended_and_the_others_are_not(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trying, "MIN_COMPARED", 1)
    lines, settings = Lines(), SETTINGS | {"epochs": 4, "optimizer": "sgd"}
    tuned = tune(pictures, settings, in_folder(tmp_path / "out"), 6, ["learning_rate"], lines)
    pruned = [trial for trial in tuned.trials if trial.state == "pruned"]
    assert pruned
    assert all(2 <= trial.epochs < 4 for trial in pruned)  # not before half of the epochs
    assert all(trial.epochs == 4 for trial in tuned.trials if trial.state == "complete")
    assert sum("ended after epoch" in line for line in lines.lines) == len(pruned)


def test_a_trial_that_diverges_has_failed_and_the_search_goes_on(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    diverging_from(monkeypatch, calls=(2,))
    tuned = tune(pictures, SETTINGS, in_folder(tmp_path / "out"), 3, FIELDS)
    assert [trial.state for trial in tuned.trials] == ["complete", "failed", "complete"]
    assert tuned.trials[1].loss is None
    assert "the loss is nan" in tuned.trials[1].error


def test_where_all_fail_it_says_why(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    diverging_from(monkeypatch, calls=(1, 2))
    with pytest.raises(TrainingError, match=r"none of 2 trials came to an end; the first: the loss is nan"):
        tune(pictures, SETTINGS, in_folder(tmp_path / "out"), 2, FIELDS)


def diverging_from(monkeypatch: pytest.MonkeyPatch, calls: tuple[int, ...]) -> None:
    """Have the trainings of these numbers meet a loss that is no number."""
    usual, made = loop.fit, list[int]()

    def fit(engine: object, *arguments: object, **named: object) -> object:
        made.append(1)
        if len(made) in calls:
            with torch.no_grad():
                next(engine.network.parameters()).fill_(torch.nan)  # type: ignore[attr-defined]
        return usual(engine, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "fit", fit)


# Killed

KILLED = (
    DYING
    + """
out, pictures, settings, fields = words
from sightline import Options, tune
from sightline.training import finish, loop
from sightline.training.tuning import search, trying
from sightline.training.planning import trials
trials.CLEARLY = 0.0
if place == "loss":
    loop.LossOf.__call__ = dying(loop.LossOf.__call__)
elif place == "told":
    trying._tell = dying(trying._tell)
elif place == "asked":
    trying._tried = dying(trying._tried)
elif place == "report":
    finish.render_report = dying(finish.render_report)
import torch
torch.set_num_threads(1)
tune(pictures, eval(settings), Options(out=Path(out), num_workers=0), 4, eval(fields))
"""
)


@pytest.mark.parametrize(("place", "number"), [("loss", 45), ("told", 2), ("asked", 3), ("report", 1)])
def test_a_search_that_was_killed_goes_on_to_the_same(
    place: str, number: int, pictures: Path, undisturbed: Tuned, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = [place, str(number), str(out), str(pictures), repr(SETTINGS), repr(FIELDS)]
    command, environment = [sys.executable, "-c", KILLED, *words], surroundings(tmp_path / "cache")
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == -signal.SIGKILL, done.stderr
    tuned = resume_tune(out)
    assert comparable(tuned) == comparable(undisturbed)
    assert lines_of(tuned.run)[-1]["val_loss"] == lines_of(undisturbed.run)[-1]["val_loss"]
    before = tree(out)
    assert comparable(resume_tune(out)) == comparable(undisturbed)
    assert tree(out) == before, "a finished search was changed"


@pytest.mark.usefixtures("listening")
def test_ctrl_c_says_how_to_go_on(
    pictures: Path, undisturbed: Tuned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, usual, made = tmp_path / "out", loop.Gradients.__call__, list[int]()

    def stopping(*arguments: object, **named: object) -> object:
        made.append(1)
        if len(made) == 45:
            os.kill(os.getpid(), signal.SIGINT)
        return usual(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(loop.Gradients, "__call__", stopping)
    with pytest.raises(KeyboardInterrupt) as stopped:
        tune(pictures, SETTINGS, in_folder(out), 4, FIELDS)
    assert f"sightline tune --resume {out}" in "".join(stopped.value.__notes__)
    assert comparable(resume_tune(out)) == comparable(undisturbed)


# What is asked wrongly


@pytest.mark.parametrize(
    ("settings", "fields", "message"),
    [
        ({}, ["lerning_rate"], "unknown field 'lerning_rate'. Did you mean learning_rate?"),
        ({}, ["size"], "pictures are decoded once, at one size"),
        ({"learning_rate": 0.1}, ["learning_rate"], "it is fixed, learning_rate = 0.1"),
        ({}, ["warmup", "warmup"], "twice"),
        ({"momentum": 2.0}, [], "momentum = 2.0: must lie between"),
    ],
)
def test_fields_that_cannot_be_searched(
    settings: dict[str, object], fields: list[str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        tune("nowhere", settings, in_folder(tmp_path / "out"), 2, fields)
    assert not (tmp_path / "out").exists()


def test_minutes_that_are_too_few_say_how_many_are_needed(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    with pytest.raises(ConfigError, match=r"minutes = 0.01: too short for one trial .* give \d+(\.\d)? or more"):
        tune(pictures, SETTINGS, in_folder(out, minutes=0.01), fields=FIELDS)
    assert not out.parent.exists(), "nothing came of it, so nothing is left"


def test_no_picture_that_selects(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = prepare.open_table

    def without_val(*arguments: object) -> prepare.Table:
        table = usual(*arguments)  # type: ignore[arg-type]
        names = np.where(table.parts.names == "val", "train", table.parts.names)
        return replace(table, parts=replace(table.parts, names=names))

    monkeypatch.setattr(prepare, "open_table", without_val)
    with pytest.raises(DataError, match="the val split is empty"):
        tune(pictures, SETTINGS, in_folder(tmp_path / "out"), 2, FIELDS)


def test_folders_that_are_taken_or_no_search(undisturbed: Tuned, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds a search; go on with it"):
        tune(pictures, SETTINGS, in_folder(undisturbed.path), 2, FIELDS)
    with pytest.raises(RunError, match="exists already"):
        tune(pictures, SETTINGS, in_folder(undisturbed.run.path), 2, FIELDS)
    with pytest.raises(RunError, match=r"is not a search; it holds a training \(sightline train --resume"):
        resume_tune(undisturbed.run.path)
    with pytest.raises(RunError, match="is not a search; name the folder"):
        resume_tune(tmp_path)


def begun(pictures: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A search that was broken off after its first trial."""
    usual, made = trying._tried, list[int]()

    def stopping(*arguments: object) -> object:
        made.append(1)
        if len(made) == 2:
            raise KeyboardInterrupt
        return usual(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(trying, "_tried", stopping)
        with pytest.raises(KeyboardInterrupt):
            tune(pictures, SETTINGS, in_folder(out), 2, FIELDS)
    return out


def test_other_pictures_are_refused(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = begun(pictures, tmp_path / "out", monkeypatch)
    with pytest.raises(DataError, match="are not as they were"):
        resume_tune(out, from_arrays(*bars(160, seed=1)))


def test_the_study_of_another_search_is_refused(
    pictures: Path, undisturbed: Tuned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = begun(pictures, tmp_path / "out", monkeypatch)
    (out / "study.db").write_bytes((undisturbed.path / "study.db").read_bytes())
    with pytest.raises(RunError, match="is the study of another search"):
        resume_tune(out)
    (out / "study.db").write_bytes(b"no database" * 1000)
    with pytest.raises(RunError, match="cannot be read or written"):
        resume_tune(out)


def test_optuna_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r'pip install "sightline\[tune\]"'):
        tune("nowhere", {}, in_folder(tmp_path / "out"))


# The space

SCRATCH = Recipe(learning_rate=0.2, augment=("pad_crop",))
TRANSFER = Recipe(model="m", weights="w", epochs=5, optimizer="adamw", learning_rate=1e-4, weight_decay=0.02)


def test_every_field_of_the_recipe_is_searched_or_says_why_not() -> None:
    assert {*RANGES, *FIXED} == set(Recipe.__dataclass_fields__)
    assert not {*RANGES} & {*FIXED}


def test_the_head_alone_has_nothing_to_search() -> None:
    with pytest.raises(ConfigError, match=r"nothing to search: with epochs = 0 .* \(--epochs 5\)"):
        space_of(replace(TRANSFER, epochs=0), "single", [], {})


def test_what_is_fixed_is_not_searched() -> None:
    assert list(space_of(SCRATCH, "single", [], {"augment": []}).ranges) == [
        "optimizer", "learning_rate", "weight_decay",
    ]  # fmt: skip
    # a fixed rate is one of the optimiser that it was meant for
    assert "optimizer" not in space_of(SCRATCH, "single", [], {"learning_rate": 0.1}).ranges
    assert "optimizer" not in space_of(TRANSFER, "single", [], {}).ranges
    assert set(space_of(SCRATCH, "number", [], {}).ranges) == {"learning_rate", "weight_decay", "optimizer"}
    with pytest.raises(ConfigError, match="any augmentation may change a number"):
        space_of(SCRATCH, "number", ["augment"], {})
    with pytest.raises(ConfigError, match=r"nothing to search: .* are fixed"):
        space_of(TRANSFER, "multi", [], {"learning_rate": 1, "weight_decay": 1, "augment": []})


def test_the_defaults_come_out_of_the_space_unchanged() -> None:
    for recipe in (SCRATCH, TRANSFER):
        space = space_of(recipe, "single", [], {})
        for name, value in space.settings(space.of_default()).items():
            assert value == getattr(recipe, name), name


def test_another_optimiser_has_a_rate_of_its_own() -> None:
    space = space_of(SCRATCH, "single", ["optimizer", "learning_rate", "weight_decay"], {})
    found = space.settings({"optimizer": "adamw", "learning_rate": 2.0, "weight_decay": 3.0})
    # 0.2 of SGD is 0.002 of AdamW; the rate times the decay, by which weights shrink, stays: 0.2 * 5e-4 = 0.002 * 0.05
    assert found == {"optimizer": "adamw", "learning_rate": 0.004, "weight_decay": 0.15}


def test_a_space_of_few_settings_is_gone_through_once(pictures: Path, tmp_path: Path) -> None:
    tuned = tune(pictures, SETTINGS, in_folder(tmp_path / "out"), 20, ["schedule", "balance"])
    tried = [tuple(trial.settings.values()) for trial in tuned.trials]
    assert tried[0] == ("one_cycle", "none")
    assert sorted(tried) == [(s, w) for s in ("cosine", "one_cycle") for w in sorted(BALANCES)]
    assert _all_of(space_of(SCRATCH, "single", ["learning_rate"], {}), 0) is None
    assert isinstance(space_of(SCRATCH, "single", [], {}), Space)


def test_a_budget_leaves_time_for_the_training_of_the_best() -> None:
    """60 s; 2 s to get ready, 10 s a trial, 3 s for the report: another may begin up to 60 - 2 * 10 - 2 - 3 = 35."""
    from time import perf_counter

    clock = _Clock(60.0, perf_counter() - 34.0, 0.0, 2.0, 10.0)
    assert clock.allows([])
    assert not replace(clock, started=perf_counter() - 36.0).allows([])
    assert not replace(clock, before_s=10.0).allows([]), "what an earlier process spent counts too"
