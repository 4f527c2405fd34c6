"""The last stages trained by themselves: from what, with what result, and after a kill."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.training.test_train import Lines, bars

from sightline.classifier import from_arrays
from sightline.errors import ConfigError, TrainingError
from sightline.run import Run
from sightline.training import loop, train
from sightline.training.options import Options
from sightline.training.resuming.checkpoint import Checkpoints
from sightline.training.transfer import features, kept

pytestmark = pytest.mark.usefixtures("default_plan", "one_thread")


@pytest.fixture(scope="module")
def tuned(first: str, tmp_path_factory: pytest.TempPathFactory, default_plan: None) -> tuple[Run, Lines]:
    lines, out = Lines(), tmp_path_factory.mktemp("tuned") / "run"
    settings = {"weights": first, "epochs": 2, "keep": "last", "learning_rate": 0.01}
    return train.train(from_arrays(*bars(120, seed=4)), settings, Options(out=out), lines), lines


def weights(run: Run | str) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(Run.open(Path(run)).weights_path if isinstance(run, str) else run.weights_path)


def test_what_lies_below_stays_as_it_was(first: str, tuned: tuple[Run, Lines]) -> None:
    run, lines = tuned
    said = next(line for line in lines.lines if line.startswith("Unfrozen: "))
    assert "what lies below is computed once" in said
    begin = said.removeprefix("Unfrozen: ").partition(" to ")[0]
    before, after = weights(first), weights(run)
    names = list(before)
    stages = [".".join(name.split(".")[:2]) for name in names]
    assert begin in ("features.conv2", "features.conv3", "features.pool3", "classifier"), begin
    same = {s for s, n in zip(stages, names, strict=True) if n in after and np.array_equal(before[n], after[n])}
    assert "features.conv1" in same


def test_steps_are_those_of_the_whole_network_with_its_lower_stages_frozen(first: str, tmp_path: Path) -> None:
    """A kept output is the lower stages' own, so the loss of a step from it is that of the whole network."""
    from sightline.data.reading.scan import survey
    from sightline.engines.torch import TorchEngine
    from sightline.training import finish, objectives, prepare
    from sightline.training.optimise import LossOf
    from sightline.training.planning import trials
    from sightline.training.progress import Silent

    table = prepare.open_table(from_arrays(*bars(40, seed=5)), None, None, Silent())
    options, look = Options(cache=False), survey(table.dataset, table.parts.rows("train"), None)
    network, what, _ = train.network_for({"weights": first, "epochs": 1}, look, table, options, Silent())
    table = prepare.decode(table, what.preprocessing, False, 0, Silent(), None)
    batches, plan = train.batches_of(what, table, options), trials.default_plan()
    objective = objectives.build(table.dataset.labels[batches.rows], network.num_classes, what.recipe)
    config = finish.run_config(network, table, what.preprocessing, plan)
    engine = TorchEngine.build(network, config, torch.device("cpu"))
    own, upper = kept.last_stages(engine, batches, (), tmp_path / "kept", Silent())
    network.eval()
    whole = LossOf(network, objective, batches.preprocessing, plan)
    half = LossOf(network, objective, batches.preprocessing, plan, upper=upper)
    for plain, from_kept in zip(batches.epoch(1), own.epoch(1), strict=True):
        assert np.array_equal(plain.rows, from_kept.rows)
        torch.testing.assert_close(half(from_kept), whole(plain), atol=2e-3, rtol=2e-3)  # kept in float16
    mirrored = own.kept.of(batches.rows[:5].astype(np.int64), np.ones(5, bool))
    pictures = prepare.selection_of(table, what.preprocessing, ("train",)).pictures[:5, :, ::-1]
    images = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)
    wanted = own.kept.lower.logits_and_features(whole.normalise(images))[1]
    torch.testing.assert_close(mirrored, wanted, atol=2e-3, rtol=2e-3)
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["mirrored.npz", "plain.npz"]


def test_it_goes_on_to_the_same_bits_and_computes_nothing_again(
    first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, data = {"weights": first, "epochs": 3}, from_arrays(*bars(120, seed=4))
    undisturbed = train.train(data, settings, Options(out=tmp_path / "whole", checkpoint_s=0))
    with monkeypatch.context() as patch:
        asked = iter([None] * 5)
        patch.setattr(loop.Schedule, "correct", lambda self, step: next(asked))
        patch.setattr(Checkpoints, "is_due", lambda self: True)  # also where the one before is not yet written
        with pytest.raises(StopIteration):
            train.train(data, settings, Options(out=tmp_path / "killed", checkpoint_s=0))
    monkeypatch.setattr(kept.Kept, "_computed", None)  # which would fail
    run = train.resume(tmp_path / "killed", data)
    assert run.config.weights_sha256 == undisturbed.config.weights_sha256
    assert not (run.path / "unfinished").exists()


def test_a_training_goes_on_with_what_it_began_to_unfreeze(
    first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where more memory, or another number of processes, would now allow another choice."""
    settings, data = {"weights": first, "epochs": 2}, from_arrays(*bars(120, seed=4))
    with monkeypatch.context() as patch:
        patch.setattr(kept, "MAX_BYTES", 1000)
        undisturbed = train.train(data, settings, Options(out=tmp_path / "whole", checkpoint_s=0))
        asked = iter([None] * 3)
        patch.setattr(loop.Schedule, "correct", lambda self, step: next(asked))
        patch.setattr(Checkpoints, "is_due", lambda self: True)  # also where the one before is not yet written
        with pytest.raises(StopIteration):
            train.train(data, settings, Options(out=tmp_path / "killed", checkpoint_s=0))
    run = train.resume(tmp_path / "killed", data)
    assert 'unfreeze = "all"' in (run.path / "recipe.toml").read_text()
    assert run.config.weights_sha256 == undisturbed.config.weights_sha256


def test_what_float16_cannot_hold_is_said(first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compute = features.one_by_one

    def huge(engine: Any, batches: Any, progress: Any, what: str, mirrored: bool = False) -> Iterator[np.ndarray]:
        for found in compute(engine, batches, progress, what, mirrored):
            yield 1e6 * found if what.startswith("stages") else found

    monkeypatch.setattr(features, "one_by_one", huge)
    with pytest.raises(TrainingError, match=r"float16 cannot hold; train the whole network \(--set unfreeze=all\)"):
        train.train(from_arrays(*bars(60, seed=6)), {"weights": first, "epochs": 1}, Options(out=tmp_path / "run"))


def test_damaged_outputs_are_computed_again(tmp_path: Path) -> None:
    assert kept._read(tmp_path / "plain.npz") is None
    found = np.ones((2, 3), np.float32), np.ones((2, 4), np.float16)
    kept._write(tmp_path / "plain.npz", found)
    again = kept._read(tmp_path / "plain.npz")
    assert again is not None and all(np.array_equal(a, b) for a, b in zip(found, again, strict=True))
    content = (tmp_path / "plain.npz").read_bytes()
    (tmp_path / "plain.npz").write_bytes(content[: len(content) // 2])
    assert kept._read(tmp_path / "plain.npz") is None


@pytest.mark.parametrize(
    ("settings", "error"),
    [({"unfreeze": "top", "augment": ["resized_crop"]}, "the last stages train from what those below gave"),
     ({"unfreeze": "middle"}, "unfreeze")],
)  # fmt: skip
def test_what_cannot_be_is_said(first: str, tmp_path: Path, settings: dict[str, object], error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        train.train(
            from_arrays(*bars(60, seed=6)), {"weights": first, "epochs": 1, **settings}, Options(out=tmp_path / "run")
        )


def test_from_scratch_there_is_nothing_to_unfreeze(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="it needs pretrained weights"):
        train.train(from_arrays(*bars(60, seed=6)), {"unfreeze": "top"}, Options(out=tmp_path / "run"))


@pytest.mark.parametrize("settings", [{"unfreeze": "all"}, {"augment": ["pad_crop"]}])
def test_the_whole_is_tuned_where_that_is_asked_for(first: str, tmp_path: Path, settings: dict[str, object]) -> None:
    """By name, or by augmentations, which kept outputs do not know."""
    lines = Lines()
    wanted = {"weights": first, "epochs": 1, **settings}
    run = train.train(from_arrays(*bars(60, seed=6)), wanted, Options(out=tmp_path / "run"), lines)
    assert not any(line.startswith("Unfrozen: ") for line in lines.lines)
    assert 'unfreeze = "all"' in (run.path / "recipe.toml").read_text()


def test_too_much_memory_is_no_way(first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MAX_BYTES", 1000)
    data = from_arrays(*bars(60, seed=6))
    with pytest.raises(ConfigError, match=r"would take 0\.0 GiB of memory; take unfreeze = all"):
        train.train(data, {"weights": first, "epochs": 1, "unfreeze": "top"}, Options(out=tmp_path / "one"))
    run = train.train(data, {"weights": first, "epochs": 1}, Options(out=tmp_path / "two"))
    assert 'unfreeze = "all"' in (run.path / "recipe.toml").read_text()
