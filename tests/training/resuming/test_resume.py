"""A training that was killed or stopped goes on, and its weights become the bits of one that was not."""

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sightline import resume
from sightline.data import open_dataset
from sightline.data.batches import Batch
from sightline.errors import ConfigError, DataError, RunError, TrainingError
from sightline.run import UNFINISHED
from sightline.training import loop, schedule, settle, train
from sightline.training.options import Options, Request
from sightline.training.planning import trials
from sightline.training.resuming import checkpoint
from sightline.training.resuming.checkpoint import Checkpoints
from sightline.training.resuming.unfinished import begin, begin_or_reopen, reopen

from ..dying import DYING, surroundings
from ..test_train import Lines, bars, bars_in

pytestmark = pytest.mark.usefixtures("default_plan", "one_thread")
# Dropout draws from torch's generator, Adam counts its steps, flips wait for their test, the best epoch is kept,
# weights are averaged, rows drawn: all of it has to be the same again.
SETTINGS = {
    "model": "simple_cnn",
    "epochs": 3, "batch_size": 16, "model.width": 8, "model.dropout": 0.2, "optimizer": "adamw", "learning_rate": 0.01,
    "augment": ["pad_crop"], "augment_if_safe": ["flip"], "keep": "best",
    "ema": 0.2, "clip_norm": 5.0, "layer_decay": 0.8, "balance": "sampling",
}  # fmt: skip


class Died(Exception):
    """An error that nothing mends."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bars_in(tmp_path_factory.mktemp("pictures") / "bars", 160)


@pytest.fixture(scope="module")
def undisturbed(pictures: Path, default_plan: None, one_thread: None) -> Path:
    out = pictures.parent / "undisturbed"
    return train.train(pictures, SETTINGS, Options(num_workers=0, out=out)).path


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only when the one before is written, which is up to the disk."""
    monkeypatch.setattr(Checkpoints, "is_due", lambda checkpoints: True)


def in_folder(out: Path, **changes: object) -> Options:
    return Options(**({"num_workers": 0, "checkpoint_s": 0.0, "out": out} | changes))  # type: ignore[arg-type]


def is_the_same(run: Path, other: Path) -> bool:
    """Weights to the bit, and what was measured on the way."""
    first, second = (load_file(path / "model.safetensors") for path in (run, other))
    lines = [[json.loads(x) for x in (path / "metrics.jsonl").read_text().splitlines()] for path in (run, other)]
    plain = [[{k: v for k, v in x.items() if not k.endswith(("seconds", "_s"))} for x in each] for each in lines]
    return (
        first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first) and plain[0] == plain[1]
    )


# Killed

# The place where it dies: a function, and which of its calls.
KILLED = (
    DYING
    + """
out, pictures, settings = words
out, settings = Path(out), eval(settings)
from sightline.training import prepare, train
from sightline.training.options import Options
if place == "open_table":
    assert "torch" not in sys.modules
    prepare.open_table = dying(prepare.open_table)
else:
    from sightline.training.resuming import checkpoint
    from sightline.training import finish, loop
    from sightline.training.planning import trials
    trials.CLEARLY = 0.0
    if place == "loss":
        loop.LossOf.__call__ = dying(loop.LossOf.__call__)
    elif place == "half a file":
        checkpoint.os.fsync = dying(os.fsync)
    elif place == "renamed":
        checkpoint.sync_folder = dying(checkpoint.sync_folder)
    elif place == "report":
        finish.render_report = dying(finish.render_report)
import torch
torch.set_num_threads(1)
train.train(pictures, settings, Options(out=out, checkpoint_s=0.0))
"""
)


@pytest.mark.parametrize(
    ("place", "number"),
    [("open_table", 1), ("loss", 20), ("half a file", 12), ("renamed", 4), ("report", 1)],
)
def test_killed_it_goes_on_to_the_same_bits(
    place: str, number: int, pictures: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-c", KILLED, place, str(number), str(out), str(pictures), repr(SETTINGS)]
    killed = subprocess.run(command, capture_output=True, text=True, env=surroundings(tmp_path / "cache"))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (out / UNFINISHED).is_dir()
    assert is_the_same(resume(out).path, undisturbed)
    assert not (out / UNFINISHED).exists() and {p.name for p in out.iterdir()} == {
        p.name for p in undisturbed.iterdir()
    }


def test_a_finished_run_is_left_as_it_is(undisturbed: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*")}
    lines = Lines()
    assert resume(undisturbed, progress=lines).path == undisturbed
    assert "is finished" in lines.lines[0]
    assert {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*")} == before


# Stopped


def on_loss(monkeypatch: pytest.MonkeyPatch, number: int, action: Callable[[torch.Tensor], torch.Tensor]) -> list[int]:
    """Have `action` change what the call `number` (from 0) gives of the losses that the loop computes; -1: each."""
    calls = list[int]()

    class LossOf(loop.LossOf):
        def __call__(self, batch: Batch) -> torch.Tensor:
            calls.append(1)
            loss = super().__call__(batch)
            return action(loss) if number in (-1, len(calls) - 1) else loss

    monkeypatch.setattr(loop, "LossOf", LossOf)
    return calls


def stopping_at(monkeypatch: pytest.MonkeyPatch, step: int, action: Callable[[], None]) -> None:
    """Have `action` happen while the loss of step `step` (from 0) is computed."""

    def act(loss: torch.Tensor) -> torch.Tensor:
        action()
        return loss

    on_loss(monkeypatch, step, act)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", [0, 7, 20])  # 7 steps an epoch: the first, an epoch's first, the last
def test_a_signal_ends_it_once_the_step_is_saved(
    number: signal.Signals,
    step: int,
    pictures: Path,
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, handler = tmp_path / "run", signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patch:
            stopping_at(patch, step, lambda: os.kill(os.getpid(), number))
            with pytest.raises((KeyboardInterrupt, SystemExit)) as raised:
                train.train(pictures, SETTINGS, in_folder(out, checkpoint_s=None))
    finally:
        signal.signal(signal.SIGINT, handler)
    assert isinstance(raised.value, KeyboardInterrupt) or raised.value.code == 143
    assert f"--resume {out}" in raised.value.__notes__[0]
    lines = Lines()
    assert is_the_same(resume(out, progress=lines).path, undisturbed)
    assert f"Going on from step {step + 1} of 21" in lines.lines


def test_what_was_learned_can_be_tested_as_it_is(
    every_step: None, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"

    def die() -> None:
        raise Died

    with monkeypatch.context() as patch:
        stopping_at(patch, 10, die)
        with pytest.raises(Died):
            train.train(pictures, SETTINGS, in_folder(out))
    run = resume(out, finish=True)
    assert json.loads((run.path / "metrics.json").read_text())["interrupted"] is True
    assert "ended after 10 of 21 steps" in (run.path / "report.html").read_text(encoding="utf-8")


# What changed in between


@pytest.fixture
def broken_off(every_step: None, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A training that was ended at step 10 by an error, on a copy of the pictures."""
    import shutil

    shutil.copytree(pictures, tmp_path / "bars")

    def die() -> None:
        raise Died

    with monkeypatch.context() as patch:
        stopping_at(patch, 10, die)
        with pytest.raises(Died):
            train.train(tmp_path / "bars", SETTINGS, in_folder(tmp_path / "run"))
    return tmp_path / "run"


def test_changed_pictures_are_refused(broken_off: Path) -> None:
    path = next((broken_off.parent / "bars").rglob("*.png"))
    path.write_bytes(next(p for p in (broken_off.parent / "bars").rglob("*.png") if p != path).read_bytes())
    name = path.relative_to(broken_off.parent / "bars").as_posix()
    with pytest.raises(DataError, match=rf"1 of the pictures are not as they were .*\n  {name}: pixels '"):
        resume(broken_off)
    assert list((broken_off / UNFINISHED / "checkpoints").iterdir())


def test_pictures_that_are_gone_are_refused(broken_off: Path) -> None:
    path = next((broken_off.parent / "bars").rglob("*.png"))
    path.unlink()
    with pytest.raises(DataError, match=f"{path.name}: is no longer there"):
        resume(broken_off)


def test_a_damaged_checkpoint_is_told_of_and_the_one_before_taken(broken_off: Path, undisturbed: Path) -> None:
    *_, before, last = sorted((broken_off / UNFINISHED / "checkpoints").iterdir())
    data = bytearray(last.read_bytes())
    data[-1] ^= 1
    last.write_bytes(data)
    lines = Lines()
    assert is_the_same(resume(broken_off, progress=lines).path, undisturbed)
    assert any(f"{last} is damaged" in line for line in lines.lines)
    assert f"Going on from step {int(before.stem)} of 21" in lines.lines


def test_nothing_to_go_on_from_is_an_error(broken_off: Path) -> None:
    for path in (broken_off / UNFINISHED / "checkpoints").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RunError, match="there is no other one to go on from"):
        resume(broken_off)


def test_another_machine_is_told_of(broken_off: Path) -> None:
    work = reopen(broken_off)
    work.settle(machine=work.settled["machine"] | {"torch": "1.0"})
    lines = Lines()
    resume(broken_off, progress=lines)
    assert any("its last bits may differ (torch: 1.0, now" in line for line in lines.lines)


def test_a_second_process_is_refused(broken_off: Path) -> None:
    with reopen(broken_off), pytest.raises(RunError, match="another process is training this run"):
        resume(broken_off)
    resume(broken_off)  # the first one has left


def test_out_that_holds_an_unfinished_training_says_how_to_go_on(broken_off: Path, pictures: Path) -> None:
    with pytest.raises(RunError, match="--resume"):
        train.train(pictures, SETTINGS, in_folder(broken_off))


@pytest.mark.parametrize("num_steps", range(5))
def test_killed_while_it_is_taken_away_it_can_be_begun_again(
    num_steps: int, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many files have gone when it is killed."""
    request = Request.of(pictures, SETTINGS, Options(out=tmp_path / "run"))
    left, plain = iter(range(num_steps)), os.unlink

    def unlink(path: str | Path, *, dir_fd: int | None = None) -> None:
        if next(left, None) is None:
            raise SystemExit
        plain(path, dir_fd=dir_fd)

    work = begin(request, "bars").__enter__()
    for name in ("split.csv", "metrics.jsonl", f"{UNFINISHED}/settled.json"):
        (work.run_path / name).write_text("{}")
    monkeypatch.setattr(os, "unlink", unlink)
    with pytest.raises(SystemExit):
        work.__exit__(DataError, DataError(), None)
    monkeypatch.undo()
    assert begin_or_reopen(request, "bars").folder.is_dir()


@pytest.mark.parametrize("name", ["request.json", "settled.json"])
@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 1, "data": 3}', "{"])
def test_damaged_notes_are_errors(name: str, content: str, broken_off: Path) -> None:
    (broken_off / UNFINISHED / name).write_text(content)
    if (name, content) in {("settled.json", "{}"), ("settled.json", '{"format": 1, "data": 3}')}:
        return  # nothing settled yet: settled again
    with pytest.raises(RunError, match="damaged"):
        resume(broken_off)


def test_no_training_there(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(RunError, match="is not a training that was begun"):
            resume(path)


def test_data_in_memory_are_asked_for_again(every_step: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sightline.classifier import from_arrays

    data = from_arrays(*bars(160))
    whole = train.train(data, SETTINGS, in_folder(tmp_path / "whole")).path

    def die() -> None:
        raise Died

    with monkeypatch.context() as patch:
        stopping_at(patch, 10, die)
        with pytest.raises(Died):
            train.train(data, SETTINGS, in_folder(tmp_path / "run"))
    with pytest.raises(RunError, match=r"go on with sightline.resume\("):
        resume(tmp_path / "run")
    assert is_the_same(resume(tmp_path / "run", data).path, whole)


# A loss that is no number


def test_a_loss_that_is_no_number_goes_back_once(
    every_step: None, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = on_loss(monkeypatch, 11, lambda loss: loss * float("nan"))
    lines = Lines()
    run = train.train(pictures, SETTINGS, in_folder(tmp_path / "run"), lines)
    said = next(line for line in lines.lines if "went back" in line)
    assert said.startswith("The loss is nan at step 11") and "back to step 11, and on at 0.25 times the rate" in said
    assert said in (run.path / "report.html").read_text(encoding="utf-8")
    assert len(calls) == 22
    rates = [json.loads(line)["learning_rate"] for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    undone = 0.01 * (1 - (13 / 21 - 0.1) / 0.9)
    assert rates[1] == pytest.approx(0.25 * undone)


def test_the_second_time_it_stops(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_loss(monkeypatch, -1, lambda loss: loss * float("inf"))
    with pytest.raises(TrainingError, match="the loss is inf at step 0"):
        train.train(pictures, SETTINGS, in_folder(tmp_path / "run"))
    assert not (tmp_path / "run").exists()  # nothing was learned


def test_weights_that_are_no_numbers_are_not_saved(
    every_step: None, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss of a step can be finite when its gradient is not."""
    from sightline.training.optimise import Optimizer

    step, calls = Optimizer.step, list[int]()

    def spoiling(self: Optimizer, rate: float) -> None:
        step(self, rate)
        calls.extend([1] if rate > 1e-6 else [])  # the trials' steps are smaller
        if len(calls) == 12:
            with torch.no_grad():
                self.groups[0].parameters[0].fill_(float("nan"))

    monkeypatch.setattr(Optimizer, "step", spoiling)
    lines = Lines()
    run = train.train(pictures, SETTINGS, in_folder(tmp_path / "run"), lines)
    assert any("back to step 11" in line for line in lines.lines), lines.lines
    assert all(t.isfinite().all() for t in load_file(run.path / "model.safetensors").values())


# Checkpoints


def tensors() -> dict[str, torch.Tensor]:
    channels_last = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    return {"a": channels_last, "b": torch.arange(3), "c": torch.tensor(2.5), "d": torch.empty(0)}


def test_what_is_saved_is_what_is_found(tmp_path: Path) -> None:
    made = tensors()
    with Checkpoints(tmp_path / "new", 0.0, print) as checkpoints:
        assert checkpoints.last() is None and not checkpoints.exist
        for step in (5, 70, 100):
            checkpoints.save(step, made, {"step": step})
        made["b"] += 1  # what is saved is a copy
        found = checkpoints.last()
    assert found is not None and found.values["step"] == 100
    assert torch.equal(found.tensors["a"], made["a"]) and torch.equal(found.tensors["b"] + 1, made["b"])
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "000000000070.safetensors",
        "000000000100.safetensors",
    ]


def test_a_disk_that_refuses_is_told_of_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = list[str]()
    checkpoints = Checkpoints(tmp_path, 0.0, said.append)
    checkpoints.save(1, tensors(), {})
    checkpoints.wait()
    with monkeypatch.context() as patch:

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        patch.setattr(checkpoint.os, "fsync", full)
        checkpoints.save(2, tensors(), {})
        checkpoints.wait()
    assert len(said) == 1 and "The checkpoint of step 2 could not be written" in said[0] and "No space left" in said[0]
    assert [path.name for path in tmp_path.iterdir()] == ["000000000001.safetensors"]
    checkpoints.save(3, tensors(), {})
    assert checkpoints.last() is not None and len(list(tmp_path.iterdir())) == 2


def test_when_one_is_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(checkpoint.time, "thread_time", lambda: 0.0)
    checkpoints, chosen = Checkpoints(tmp_path, None, print), Checkpoints(tmp_path, 5.0, print)
    for at, is_due, chosen_is_due in ((4.0, False, False), (6.0, False, True), (61.0, True, True)):
        now[0] = at
        assert (checkpoints.is_due(), chosen.is_due()) == (is_due, chosen_is_due)
    checkpoints._cost_s = 2.0  # a large network on a slow disk: a hundredth of the time at most
    for at, is_due in ((199.0, False), (201.0, True)):
        now[0] = at
        assert checkpoints.is_due() == is_due


def test_an_impossible_interval() -> None:
    with pytest.raises(ConfigError, match="checkpoint_s = -1"):
        Options(checkpoint_s=-1)


def test_the_data_set_may_be_opened_before(
    every_step: None, pictures: Path, tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its place is kept, so that no data need be given to go on."""

    def die() -> None:
        raise Died

    with monkeypatch.context() as patch:
        stopping_at(patch, 3, die)
        with pytest.raises(Died):
            train.train(open_dataset(pictures), SETTINGS, in_folder(tmp_path / "run"))
    assert is_the_same(resume(tmp_path / "run").path, undisturbed)


def test_a_budget_is_fixed_before_the_first_step(
    every_step: None, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However fast the machine is when it goes on."""

    def die() -> None:
        raise Died

    with monkeypatch.context() as patch:
        stopping_at(patch, 10, die)
        patch.setattr(settle, "_allowed", lambda *arguments: 17)
        patch.setattr(schedule, "EVERY_SHARE", 2.0)  # no corrections
        with pytest.raises(Died):
            train.train(pictures, {**SETTINGS, "keep": "last"}, in_folder(tmp_path / "run", minutes=1.0))
    monkeypatch.setattr(settle, "_allowed", None)
    monkeypatch.setattr(schedule, "EVERY_SHARE", 2.0)
    monkeypatch.setattr(trials, "measure", None)
    lines = (resume(tmp_path / "run").path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["step"] == 17
