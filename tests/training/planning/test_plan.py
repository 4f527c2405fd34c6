"""The Plan: what is tried, what is taken, what is remembered, what is asked for by name."""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from sightline.classifier import from_arrays
from sightline.data.batches import Batch
from sightline.engines.torch import flushing_denormals
from sightline.errors import ConfigError
from sightline.training.optimise import LossScale, Optimizer
from sightline.training.options import Options
from sightline.training.planning import plans, trials
from sightline.training.planning.plan import Plan, named
from sightline.training.planning.trials import Trial
from sightline.training.recipe import Recipe
from sightline.training.train import train
from sightline.training.untrained import show_plan

from ..test_train import Lines, bars

PLAIN = Plan("float32", True, 2)
FAST = {"model": "simple_cnn", "epochs": 1, "batch_size": 16, "model.width": 4}


# Names


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("float32", PLAIN),
        ("bfloat16", Plan("bfloat16", True, 2)),
        ("contiguous,threads=1", Plan("float32", False, 1)),
        ("tf32 compiled", Plan("tf32", True, 2, compiled=True)),
    ],
)
def test_a_name_says_what_differs_from_the_default(text: str, plan: Plan) -> None:
    assert named(text, PLAIN) == plan
    assert named(plan.name, PLAIN) == plan


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("bfloat", "Did you mean bfloat16"),
        ("threads=0", "threads=0"),
        ("threads=two", "threads"),
        ("chanels_last", "channels_last"),
    ],
)
def test_other_words_are_errors(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=f"--plan {text}.*{said}"):
        named(text, PLAIN)


def test_plans_are_equal_whatever_they_took() -> None:
    assert Plan("float32", True, 2, step_s=1.0, trials={"x": 1.0}) == PLAIN and len({PLAIN, named("", PLAIN)}) == 1


# Trials, with steps of a known length


def trial(
    monkeypatch: pytest.MonkeyPatch, seconds: dict[Plan, float], losses: dict[Plan, float] | None = None
) -> Trial:
    made = Trial(None, None, None, None, None)  # type: ignore[arg-type]  # a step asks for none of them here

    def step(self: Trial, plan: Plan, batch: Batch) -> Callable[[], float]:
        def run() -> float:
            time.sleep(seconds[plan])
            return (losses or {}).get(plan, 1.0)

        return run

    monkeypatch.setattr(Trial, "_step", step)
    return made


OTHER, THIRD = Plan("bfloat16", True, 2), Plan("float32", False, 2)


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [((0.02, 0.01, 0.03), OTHER), ((0.02, 0.0196, 0.03), PLAIN), ((0.02, 0.01, 0.005), THIRD)],
)
def test_the_fastest_is_taken_if_it_is_clearly_so(
    seconds: tuple[float, ...], chosen: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = (PLAIN, OTHER, THIRD)
    made = trial(monkeypatch, dict(zip(plans, seconds, strict=True)))
    assert made.fastest(PLAIN, [OTHER, THIRD], time.perf_counter() + 10) == chosen
    assert set(made.seconds) == set(plans)


@pytest.mark.parametrize("loss", [1.05, 0.9, math.nan])
def test_a_plan_whose_loss_differs_is_not_taken(loss: float, monkeypatch: pytest.MonkeyPatch) -> None:
    made = trial(monkeypatch, {PLAIN: 0.01, OTHER: 0.001}, {OTHER: loss})
    assert made.fastest(PLAIN, [OTHER], time.perf_counter() + 10) == PLAIN
    assert OTHER not in made.seconds


def test_no_rival_is_begun_after_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    made = trial(monkeypatch, {PLAIN: 0.01, OTHER: 0.001})
    assert made.fastest(PLAIN, [OTHER], time.perf_counter() - 1) == PLAIN


def test_long_steps_are_tried_on_a_part_of_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = Batch(torch.zeros(64, 1, 2, 2), torch.zeros(64), np.arange(64))
    made = Trial(None, None, None, None, batch)  # type: ignore[arg-type]
    monkeypatch.setattr(Trial, "_second_step", lambda self, batch: 0.1 * len(batch.labels))
    assert made.shortened(num_steps=0) == pytest.approx(6.4)
    # 10 s for four plans of eight steps: 0.31 s a step, which are 3 of 64 pictures; 4 are the least
    assert len(made.batch.labels) == 4 and made.share == 4 / 64
    made.batch = batch
    made.shortened(num_steps=1000)  # 192 s of trials are 3 % of it: 6 s a step, 60 pictures
    assert len(made.batch.labels) == 60
    made.batch = batch
    made.shortened(num_steps=1100)
    assert len(made.batch.labels) == 64


def test_what_is_measured_is_said_and_settled(tmp_path: Path) -> None:
    lines = Lines()
    run = train(from_arrays(*bars(120)), FAST, Options(out=tmp_path / "run", cache=False), lines)
    said = next(line for line in lines.lines if line.startswith("Plan: "))
    chosen, _, others = said.removeprefix("Plan: ").partition("; tried too: ")
    assert "the time" in others  # which is the fastest depends on the machine and on what else it does
    assert chosen in (run.path / "report.html").read_text(encoding="utf-8")


# What is asked for


def test_off_measures_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "measure", None)
    lines = Lines()
    train(from_arrays(*bars(120)), FAST, Options(out=tmp_path / "run", plan="off"), lines)
    assert f"Plan: float32,channels_last,threads={torch.get_num_threads()}" in lines.lines


def test_a_budget_times_the_plan_that_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "measure", None)
    lines = Lines()
    train(from_arrays(*bars(120)), FAST, Options(out=tmp_path / "run", plan="contiguous", minutes=0.08), lines)
    assert any(line.startswith("Plan: float32,contiguous") for line in lines.lines)
    assert any(line.startswith("Budget: ") for line in lines.lines)


def test_float16_learns(tmp_path: Path) -> None:
    """On a processor slowly, but by the same code as on a GPU without bfloat16."""
    run = train(from_arrays(*bars(200)), FAST | {"epochs": 3}, Options(out=tmp_path / "run", plan="float16"))
    assert json.loads((run.path / "metrics.json").read_text())["accuracy"] > 0.9


def test_show_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan = show_plan(from_arrays(*bars(120)), FAST)
    assert plan.name in plan.trials and plan.step_s == plan.trials[plan.name] and plan.batch_s > 0
    assert list(tmp_path.iterdir()) == []


# What is remembered


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "sightline"


def test_a_plan_is_measured_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, measure = list[int](), trials.measure

    def counted(*arguments: object) -> Plan:
        calls.append(1)
        return measure(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(trials, "measure", counted)
    data = from_arrays(*bars(120))
    for name, settings in (("a", FAST), ("b", FAST), ("c", FAST | {"model.width": 8}), ("d", FAST)):
        train(data, settings, Options(out=tmp_path / name))
    assert len(calls) == 2  # another network is another plan
    train(data, FAST, Options(out=tmp_path / "e", cache=False))
    show_plan(data, FAST)
    assert len(calls) == 4


def test_fewer_threads_of_a_busy_hour_are_asked_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, asked = from_arrays(*bars(120)), list[tuple[int, list[int]]]()
    busy = replace(trials.default_plan(), num_threads=1, step_s=1.0)
    monkeypatch.setattr(trials, "default_plan", lambda: replace(busy, num_threads=3, step_s=0.0))
    monkeypatch.setattr(trials, "measure", lambda *arguments: busy)

    def timed(plan: Plan, *others: object, rivals: Sequence[Plan] = ()) -> Plan:
        asked.append((plan.num_threads, [rival.num_threads for rival in rivals]))
        return rivals[0]

    monkeypatch.setattr(trials, "timed", timed)
    for name in ("measured", "recalled", "kept"):
        train(data, FAST, Options(out=tmp_path / name))
    assert asked == [(1, [3])], "what all threads were faster with is remembered"
    train(data, FAST, Options(out=tmp_path / "named", plan="threads=1"))
    assert len(asked) == 1, "what was asked for is taken"


def test_the_process_keeps_its_threads(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    train(from_arrays(*bars(40)), FAST, Options(out=tmp_path / "run", plan=f"threads={before + 1}"))
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("content", ["", "[]", "{", '{"KEY": 3}', '{"KEY": {"speed": 3}}'])
def test_a_damaged_memory_is_none(content: str, folder: Path) -> None:
    plans.remember({"a": 1}, PLAIN)
    assert plans.recalled({"a": 1}) == PLAIN and plans.recalled({"a": 2}) is None
    path = folder / "plans" / "plans.json"
    path.write_text(content.replace("KEY", next(iter(json.loads(path.read_text())))))
    assert plans.recalled({"a": 1}) is None
    plans.remember({"a": 1}, OTHER)
    assert plans.recalled({"a": 1}) == OTHER


# float16's scale


def test_the_scale_halves_at_an_infinite_gradient_and_leaves_the_step_out() -> None:
    network = nn.Linear(2, 1)
    optimiser = Optimizer(network, Recipe(momentum=0.0, weight_decay=0.0), Plan("float16", True, 1))
    assert optimiser.scale is not None
    before = network.weight.detach().clone()
    optimiser.backward(network(torch.full((1, 2), 1e38)).sum())  # finite; 65,536 times it is not
    optimiser.step(0.1)
    assert torch.equal(network.weight, before) and optimiser.scale.factor == 2.0**15
    optimiser.backward(network(torch.tensor([[1.0, 2.0]])).sum())
    optimiser.step(0.1)
    assert torch.allclose(network.weight, before - 0.1 * torch.tensor([[1.0, 2.0]]))
    assert torch.equal(optimiser.tensors()["scale"], torch.tensor([2.0**15, 1.0], dtype=torch.float64))


def test_the_scale_doubles_after_good_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LossScale, "GROWTH", 3)
    network = nn.Linear(2, 1)
    scale = LossScale(network)
    for expected in (2.0**16, 2.0**16, 2.0**17, 2.0**17):
        network.weight.grad = torch.ones(1, 2)
        assert scale.undo(list(network.parameters()))
        assert scale.factor == expected
    copied = LossScale(network)
    copied.state.copy_(scale.state)
    assert copied.factor == 2.0**17 and float(copied.state[1]) == 1


def test_denormals_are_flushed_for_a_while() -> None:
    tiny, half = np.float64(1e-310), np.float64(0.5)
    assert tiny * half > 0
    with flushing_denormals():
        assert tiny * half == 0
        with flushing_denormals():
            pass
        assert tiny * half == 0
    assert tiny * half > 0
