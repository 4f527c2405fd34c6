"""A head on a frozen network: what it reads is chosen by what it is worth, and kept with the run."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.training.test_train import Lines, bars

from sightline import Predictor
from sightline.classifier import from_arrays
from sightline.engines import torch as engines
from sightline.errors import ConfigError
from sightline.run import Run
from sightline.training import loop, train
from sightline.training.objectives.single import CrossEntropy
from sightline.training.options import Options
from sightline.training.planning import trials
from sightline.training.resuming.checkpoint import Checkpoints
from sightline.training.transfer import features
from sightline.training.transfer.head import _Choice, _folds
from sightline.training.untrained import show_plan

pytestmark = pytest.mark.usefixtures("default_plan")


def grounds(num: int) -> tuple[np.ndarray, list[str]]:
    """The same bars, on quiet or loud noise of one mean: what the answers of `first` know nothing of."""
    generator = np.random.default_rng(1)
    pictures, _ = bars(num, seed=2)
    for i, picture in enumerate(pictures):
        ground = 50 + generator.normal(0, (10, 14)[i % 2], picture.shape)
        picture[picture < 250] = ground.clip(0, 249).astype(np.uint8)[picture < 250]
    return pictures, [("quiet", "loud")[i % 2] for i in range(num)]


def losses(lines: Lines) -> tuple[str, float, float]:
    """What the head reads, and the losses held out by which that was chosen."""
    line = next(line for line in lines.lines if line.startswith("Head: "))
    found = re.search(r"it reads (.+) \(loss held out: the last ([\d.]+), all ([\d.]+)\)", line)
    assert found is not None, line
    return found[1], float(found[2]), float(found[3])


@pytest.fixture(scope="module")
def on_grounds(first: str, tmp_path_factory: pytest.TempPathFactory, default_plan: None) -> tuple[Run, Lines]:
    lines, out = Lines(), tmp_path_factory.mktemp("grounds") / "run"
    return train.train(from_arrays(*grounds(300)), {"weights": first}, Options(out=out), lines), lines


def test_stages_are_read_where_the_last_does_not_know(on_grounds: tuple[Run, Lines]) -> None:
    run, lines = on_grounds
    chosen, last, all_of_them = losses(lines)
    assert chosen.startswith("all ") and all_of_them < last
    assert run.config.stages and run.config.to_json()["sightline"]["format"] == 3
    assert json.loads((run.path / "metrics.json").read_text())["accuracy"] > 0.9


def test_the_run_answers_with_them_as_it_was_tested(on_grounds: tuple[Run, Lines]) -> None:
    run, _ = on_grounds
    assert engines.open_run(Run.open(run.path)).network.read_channels == run.config.stages
    pictures, labels = grounds(300)
    answers = [answer.label for answer in Predictor.open(run.path).predict(list(pictures))]
    assert np.mean([answer == label for answer, label in zip(answers, labels, strict=True)]) > 0.9


def test_the_last_alone_is_read_where_it_says_all(first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages that hold noise cost more than they tell."""
    compute = features.compute

    def noisy(*arguments: Any) -> features.Computed:  # Any: as they come
        found = compute(*arguments)
        noise = np.random.default_rng(0).normal(size=found.features.shape).astype(np.float32)
        num_own = arguments[0].network.head.weight.shape[1]
        return features.Computed(np.hstack([found.features[:, :num_own], noise[:, num_own:]]), found.sentence)

    monkeypatch.setattr(features, "compute", noisy)
    lines = Lines()
    run = train.train(from_arrays(*bars(300, seed=3)), {"weights": first}, Options(out=tmp_path / "run"), lines)
    chosen, last, all_of_them = losses(lines)
    assert chosen == "the last stage alone" and last <= all_of_them
    assert run.config.stages == {} and run.config.to_json()["sightline"]["format"] == 1


def test_a_run_with_stages_can_be_started_from(on_grounds: tuple[Run, Lines], tmp_path: Path) -> None:
    settings = {"weights": str(on_grounds[0].path), "epochs": 1}
    run = train.train(from_arrays(*grounds(300)), settings, Options(out=tmp_path / "run"))
    assert json.loads((run.path / "metrics.json").read_text())["accuracy"] > 0.9


@pytest.mark.usefixtures("one_thread")
def test_fine_tuning_with_stages_goes_on_to_the_same_bits(
    first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their weights are trained too; after a kill the head is not fitted again."""
    settings, data = {"weights": first, "epochs": 2}, from_arrays(*grounds(300))
    undisturbed = train.train(data, settings, Options(out=tmp_path / "whole", checkpoint_s=0))
    assert undisturbed.config.stages
    with monkeypatch.context() as patch:
        asked = iter([None] * 8)
        patch.setattr(loop.Schedule, "correct", lambda self, step: next(asked))
        patch.setattr(Checkpoints, "is_due", lambda self: True)  # also where the one before is not yet written
        with pytest.raises(StopIteration):
            train.train(data, settings, Options(out=tmp_path / "killed", checkpoint_s=0))
    run = train.resume(tmp_path / "killed", data)
    assert run.config.weights_sha256 == undisturbed.config.weights_sha256


@pytest.mark.parametrize("num", [20, 200])
def test_a_choice_is_solved_as_in_the_whole_space(num: int) -> None:
    """Fewer pictures than features, or more: the same predictions, blocks weighing the same."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(num, 30, generator=generator) * 5 + 3
    y = (x[:, 0] > 3).long()
    objective = CrossEntropy(torch.ones(2))
    choice = _Choice.of(x, [6, 24], y, objective, _folds(y, None))
    shares = torch.cat([torch.full((6,), (1 / 2) ** 0.5), torch.full((24,), (6 / 24 / 2) ** 0.5)])
    whole = (x - x.mean(0)) / x.std(0) * shares
    torch.testing.assert_close((x - choice.mean) * choice.scale, whole)
    (w, b), (w2, b2) = (objective.solve(space, y, (0.1,))[0] for space in (choice.scaled, whole))
    torch.testing.assert_close(choice.scaled @ w.T + b, whole @ w2.T + b2, atol=2e-3, rtol=0)
    assert (choice.rotation is not None) == (num < 30)


def in_groups(num: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Features (10 * num, 40), ten pictures a group that differ less than groups do; classes; groups."""
    generator = torch.Generator().manual_seed(seed)
    of_group = torch.randn(num, 40, generator=generator)
    y = (of_group[:, 0] + torch.randn(num, generator=generator) > 0).long().repeat_interleave(10)
    x = of_group.repeat_interleave(10, dim=0) + 0.3 * torch.randn(10 * num, 40, generator=generator)
    return x, y, np.repeat(np.arange(num), 10)


def test_where_pictures_have_groups_the_loss_held_out_is_that_of_new_groups() -> None:
    """By pictures a head knows the groups that it is asked of, and takes the weakest penalty."""
    x, y, groups = in_groups(60, 0)
    objective = CrossEntropy(torch.ones(2))
    alone, together = (_Choice.of(x, [40], y, objective, _folds(y, known)) for known in (None, groups))
    new, truths, _ = in_groups(400, 1)
    w, b, _ = together.solved(y, objective)
    of_new = float(objective.loss(new @ w.T + b, truths))
    assert together.penalty > alone.penalty
    assert alone.loss < 0.5 * of_new
    assert together.loss == pytest.approx(of_new, rel=0.3)


def test_folds_keep_groups_whole_and_each_class_among_those_that_are_learned() -> None:
    y = torch.tensor([0] * 40 + [1] * 40 + [2] * 20)
    groups = np.concatenate([np.arange(40) // 8, 5 + np.arange(40) // 20, np.full(20, 9)])
    folds = [fold.numpy() for fold in _folds(y, groups)]
    assert sorted(np.concatenate(folds).tolist()) == list(range(100))
    for fold in folds:
        rest = np.setdiff1d(np.arange(100), fold)
        assert set(y.numpy()[rest].tolist()) == {0, 1, 2}
        shared = np.intersect1d(groups[fold], groups[rest])
        assert set(shared.tolist()) <= {9}  # the one group of its class
    one = _folds(torch.zeros(30, 3), np.zeros(30, np.intp))
    assert len(one) == 5


def test_no_plan_is_measured_for_the_head_alone(first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "measure", None)  # which would fail
    data = from_arrays(*bars(60, seed=6))
    train.train(data, {"weights": first}, Options(out=tmp_path / "run"))
    with pytest.raises(ConfigError, match="the head alone is fitted, without a step that could be timed"):
        show_plan(data, {"weights": first}, Options())
