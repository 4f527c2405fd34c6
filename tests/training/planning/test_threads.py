"""Threads that change with the machine: by a clock of our own, and in a training that was killed."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.test_train import bars

from sightline.classifier import from_arrays
from sightline.training import loop, settle, train
from sightline.training.options import Options
from sightline.training.planning.threads import FIRST_S, NUM_STEPS, Change, Threads
from sightline.training.resuming.checkpoint import Checkpoints


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    num = torch.get_num_threads()
    yield
    torch.set_num_threads(num)


class Machine:
    """Steps take what `seconds_of` says of threads and time; `used`: the threads of each."""

    def __init__(self, num: int, others: tuple[int, ...], seconds_of: Callable[[int, float], float]) -> None:
        self.now, self.seconds_of, self.used, self.said = 0.0, seconds_of, list[int](), list[str]()
        self.threads = Threads(num, others, say=self.said.append, clock=lambda: self.now)

    def run(self, seconds: float) -> "Machine":
        end = self.now + seconds
        while self.now < end:
            self.threads.begin(len(self.used), 100)
            self.used.append(torch.get_num_threads())
            self.now += self.seconds_of(self.used[-1], self.now)
        return self


def test_a_plan_of_a_busy_moment_is_left_when_more_threads_are_faster() -> None:
    machine, first = Machine(1, (1, 2), lambda num, now: 1.0 / num).run(100), int(FIRST_S)
    assert machine.threads.made == [Change(first, 2, False), Change(first + NUM_STEPS, 2, True)]
    assert machine.used == [1] * first + [2] * (len(machine.used) - first)
    assert machine.said == [f"Threads: 2 from step {first + NUM_STEPS} on, 2.0 times as fast as 1"]


def test_as_long_as_they_are_not_looks_become_rare_and_cost_little() -> None:
    machine = Machine(1, (1, 2), lambda num, now: 0.1 if num == 1 else 0.09).run(3600)
    assert machine.threads.staying(len(machine.used)) == 1
    assert 0 < machine.used.count(2) < 0.01 * len(machine.used) and not machine.said
    worse = Machine(1, (1, 2), lambda num, now: 0.1 if num == 1 else 2.0).run(3600)
    assert worse.used.count(2) == 2 * len(worse.threads.made) / 2  # two steps a look, then back
    assert worse.used.count(2) * 2.0 < 0.03 * 3600


def test_all_threads_are_left_only_while_steps_are_far_slower() -> None:
    def seconds(num: int, now: float) -> float:
        is_busy = 300 < now < 900
        return {1: 0.18, 2: 2.0 if is_busy else 0.1}[num]

    machine = Machine(2, (1, 2), seconds).run(290)
    assert machine.threads.made == []
    machine.run(500)
    assert machine.threads.staying(len(machine.used)) == 1
    machine.run(600)
    assert machine.threads.staying(len(machine.used)) == 2
    assert len(machine.said) == 2


def test_larger_pictures_are_no_reason_for_a_look() -> None:
    threads, now = Threads(2, (1, 2), clock=lambda: now), 0.0
    for step in range(1000):
        size = 1 + step // 250
        threads.begin(step, 100 * size)
        now += 0.2 * size
    assert threads.made == []


def test_of_many_threads_all_are_tried_and_the_fastest_stays() -> None:
    machine = Machine(4, (1, 4, 8), lambda num, now: {1: 0.5, 4: 1.0, 8: 0.7}[num]).run(120)
    assert machine.threads.staying(len(machine.used)) == 1
    assert set(machine.used) == {1, 4, 8}


def test_what_was_only_tried_when_it_was_killed_does_not_stay() -> None:
    machine = Machine(1, (1, 2), lambda num, now: {1: 1.0, 2: 2.5}[num])
    machine.threads.made.append(Change(100, 2, False))
    machine.used += [1] * 100
    machine.run(60)
    assert machine.threads.staying(len(machine.used)) == 1
    assert machine.used.count(2) < NUM_STEPS * len(machine.threads.made)


def test_what_must_not_change_does_not() -> None:
    assert Machine(1, (), lambda num, now: 1.0 / num).run(600).threads.made == []


@pytest.mark.parametrize("options", [{"plan": "threads=1"}, {"deterministic": True}, {"num_processes": 2}])
def test_nothing_is_tried_where_the_plan_is_asked_for_or_must_be_the_same(options: dict[str, Any]) -> None:
    plan = settle.trials.default_plan()
    assert settle.threads_of(None, {}, Options(**options), plan, 4, print).others == ()  # type: ignore[arg-type]
    assert settle.threads_of(None, {}, Options(), plan, 4, print).others == [1, 2, 4]  # type: ignore[arg-type]


def test_a_training_may_take_more_threads_than_its_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, of = list[Threads](), settle.threads_of
    monkeypatch.setattr(settle, "threads_of", lambda *words: made.append(of(*words)) or made[-1])
    monkeypatch.setattr(settle, "plan_for", lambda *words: replace(settle.trials.default_plan(), num_threads=1))
    torch.set_num_threads(2)
    train.train(from_arrays(*bars(40)), {"model": "simple_cnn", "epochs": 1}, Options(out=tmp_path / "run"))
    assert [threads.others for threads in made] == [[1, 2]] and made[0].num == 1


def test_a_training_that_goes_on_takes_the_same_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed behind some changes, with no checkpoint since before them."""
    data, settings = from_arrays(*bars(200)), {"model": "simple_cnn", "epochs": 4, "batch_size": 10}
    used = list[int]()

    def threads_of(work: Any, settled: dict[str, Any], *others: object) -> Threads:
        def keep(changes: list[Change]) -> None:
            work.settle(threads=[asdict(each) for each in changes])

        made = [Change(**each) for each in settled.get("threads", [])]
        return Threads(1, (1, 2), made, keep, clock=lambda: 3.0 * len(used))

    class Counted(loop.Gradients):
        def __call__(self, batch: Any) -> float:
            used.append(torch.get_num_threads())
            return super().__call__(batch)

    monkeypatch.setattr(settle, "threads_of", threads_of)
    monkeypatch.setattr(loop, "Gradients", Counted)
    with monkeypatch.context() as patch:
        asked = iter([None] * 24)
        patch.setattr(loop.Schedule, "correct", lambda self, step: next(asked))
        patch.setattr(Checkpoints, "is_due", lambda self: True)  # also where the one before is not yet written
        patch.setattr(Checkpoints, "is_due", lambda self: len(used) == 5)
        with pytest.raises(StopIteration):
            train.train(data, settings, Options(out=tmp_path / "run"))
    before = used.copy()
    assert before[10:16] == [2] * NUM_STEPS and before[17] == 1, "tried, and given up, as it was no faster"
    used.clear()
    train.resume(tmp_path / "run", data)
    assert used[:11] == before[5:16], "up to the last change; then as the clock has it"
