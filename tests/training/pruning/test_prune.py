"""A run made smaller: by as much as was asked for, still right, an ordinary run, and refused where it cannot be."""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from sightline.classifier import from_arrays
from sightline.engines.torch import open_run
from sightline.errors import ConfigError, MissingExtraError, RunError
from sightline.models.counting import multiply_adds
from sightline.run import Run
from sightline.training.options import Options
from sightline.training.recipe import Recipe
from sightline.training.train import resume, train

from ..resuming.test_resume import is_the_same, stopping_at
from ..test_number import discs
from ..test_several import crosses
from ..test_train import bars

pytest.importorskip("torch_pruning", reason="needs the extra prune")
pytestmark = pytest.mark.usefixtures("default_plan", "one_thread")
LARGE = {"model": "simple_cnn", "epochs": 2, "batch_size": 16, "learning_rate": 0.1, "model.width": 16}


def smaller(run: Path, share: float = 0.5, **more: object) -> dict[str, object]:
    return {"weights": str(run), "prune": share, "epochs": 1, "batch_size": 16} | more


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, default_plan: None) -> Path:
    return train(from_arrays(*bars(200)), LARGE, Options(out=tmp_path_factory.mktemp("large") / "run")).path


@pytest.fixture(scope="module")
def pruned(large: Path, tmp_path_factory: pytest.TempPathFactory, default_plan: None) -> Path:
    options = Options(out=tmp_path_factory.mktemp("pruned") / "run", num_workers=0)
    return train(from_arrays(*bars(200)), smaller(large), options).path


def test_a_pruned_run_is_an_ordinary_run_of_that_size(large: Path, pruned: Path) -> None:
    config = json.loads((pruned / "config.json").read_text())["sightline"]
    assert config["pruned"] is True and config["format"] == 6  # older versions would build the wide network
    assert config["stages"] == {}  # as of the run: reading them takes time
    whole, left = (open_run(Run.open(path)) for path in (large, pruned))
    assert 0.4 < multiply_adds(left.network) / multiply_adds(whole.network) <= 0.5
    pictures, labels = bars(200, seed=5)
    answers = left.answer(pictures[..., None]).argmax(1)
    assert (np.array(left.config.classes)[answers] == np.array(labels)).mean() > 0.95
    found = json.loads((pruned / "metrics.json").read_text())["teacher"]
    assert found["multiply_adds"] == [multiply_adds(whole.network), multiply_adds(left.network)]
    assert f'teacher = "{large}"' in (pruned / "recipe.toml").read_text()


def test_it_can_be_pruned_again_and_trained_on(pruned: Path, tmp_path: Path) -> None:
    data, before = from_arrays(*bars(200)), multiply_adds(open_run(Run.open(pruned)).network)
    again = train(data, smaller(pruned, 0.3), Options(out=tmp_path / "again"))
    assert 0.5 < multiply_adds(open_run(again).network) / before <= 0.7
    tuned = train(data, {"weights": str(pruned), "epochs": 0}, Options(out=tmp_path / "tuned"))
    bodies = [open_run(run).network.body.state_dict() for run in (tuned, Run.open(pruned))]
    assert tuned.config.pruned and all(bodies[0][name].shape == tensor.shape for name, tensor in bodies[1].items())


def test_stopped_it_goes_on_to_the_same_bits(
    large: Path, pruned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = from_arrays(*bars(200)), tmp_path / "run"
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patch:
            stopping_at(patch, 4, lambda: os.kill(os.getpid(), signal.SIGINT))
            with pytest.raises(KeyboardInterrupt):
                train(data, smaller(large), Options(out=out, num_workers=0))
    finally:
        signal.signal(signal.SIGINT, handler)
    monkeypatch.setattr("sightline.training.settle.begin", None)  # it is not pruned once more
    assert is_the_same(resume(out, data).path, pruned)


@pytest.mark.parametrize("task", ["multi", "number"])
def test_other_tasks(task: str, tmp_path: Path) -> None:
    if task == "multi":
        data = from_arrays(*crosses(200))
    else:
        pictures, values = discs(200)
        data = from_arrays(pictures, values[:, None], ("diameter",))
    settings = LARGE | {"epochs": 1, "learning_rate": 0.05}
    run = train(data, settings, Options(out=tmp_path / "large"))
    left = train(data, smaller(run.path), Options(out=tmp_path / "small"))
    assert multiply_adds(open_run(left).network) <= 0.5 * multiply_adds(open_run(run).network)
    assert left.config.task == task and json.loads((left.path / "metrics.json").read_text())["teacher"]["compared"]


def test_what_cannot_be_pruned_is_refused(large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures, labels = bars(60, seed=6)
    data, out = from_arrays(pictures, labels), Options(out=tmp_path / "run")
    others = from_arrays(pictures, ["cross" if label == "lying" else label for label in labels])
    with pytest.raises(ConfigError, match="it does not know 'cross'"):
        train(others, smaller(large), out)
    with pytest.raises(ConfigError, match=r"prune = 1\.0: must lie between 0\.0 and 0\.95"):
        train(data, smaller(large, 1.0), out)
    with pytest.raises(ConfigError, match="it makes a run of yours smaller: name one"):
        train(data, {"prune": 0.5}, out)
    with pytest.raises(ConfigError, match="take unfreeze = all"):
        Recipe(weights="w", prune=0.5, unfreeze="top")
    with pytest.raises(ConfigError, match="what is left has to be trained; give epochs"):
        train(data, smaller(large, epochs=0), out)
    bare = tmp_path / "bare.safetensors"
    bare.write_bytes((large / "model.safetensors").read_bytes())
    with pytest.raises(ConfigError, match="it makes a run of yours smaller"):
        train(data, smaller(bare, model="simple_cnn"), out)
    monkeypatch.setitem(sys.modules, "torch_pruning", None)
    with pytest.raises(MissingExtraError, match=r"sightline\[prune\]"):
        train(data, smaller(large), out)
    assert not (tmp_path / "run").exists()


def test_weights_that_are_wider_than_their_run_says_are_refused(large: Path, pruned: Path, tmp_path: Path) -> None:
    """Of a pruned run, the configuration and the weights of another."""
    damaged = tmp_path / "damaged"
    shutil.copytree(pruned, damaged)
    (damaged / "model.safetensors").write_bytes((large / "model.safetensors").read_bytes())
    with pytest.raises(RunError, match="is damaged or was changed"):
        open_run(Run.open(damaged))
