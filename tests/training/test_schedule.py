"""The schedule: what is done at each step, and how a budget's number of steps is corrected."""

import json
import time
from pathlib import Path

import pytest

from sightline.classifier import from_arrays
from sightline.training import settle
from sightline.training.options import Options
from sightline.training.recipe import Recipe
from sightline.training.schedule import REPORT_S, Budget, Correction, Schedule
from sightline.training.train import train

from .test_train import Lines, bars

pytestmark = pytest.mark.usefixtures("default_plan")


def test_without_corrections_it_is_the_share_of_the_steps() -> None:
    schedule = Schedule(7)
    assert [schedule.done(step) for step in range(8)] == [step / 7 for step in range(8)]
    assert Schedule(0).done(0) == 0


def test_after_a_correction_it_goes_on_from_where_it_was() -> None:
    schedule = Schedule(100, [Correction(50, 60), Correction(55, 95)])
    assert schedule.num_steps == 95
    assert schedule.done(50) == 0.5 and schedule.done(52) == pytest.approx(0.6)
    assert schedule.done(55) == pytest.approx(0.75)
    assert schedule.done(75) == pytest.approx(0.875) and schedule.done(95) == pytest.approx(1.0)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def hundred() -> Budget:
    """100 s for steps alone."""
    return Budget(100.0 + REPORT_S, steps_an_epoch=10, num_selection=0, num_test=0, answer_s=1.0)


@pytest.mark.parametrize(("step_s", "expected"), [(0.5, 200), (1.0, 100), (2.0, 50), (1.005, 100)])
def test_a_budget_is_corrected_by_what_steps_take(step_s: float, expected: int) -> None:
    """100 s for 100 steps that were thought to take a second each."""
    clock, kept = Clock(), list[list[Correction]]()
    schedule = Schedule(100, [], hundred(), lambda corrections: kept.append(list(corrections)), clock=clock)
    schedule.start(0)
    step = 0
    while step < schedule.num_steps:
        step, clock.now = step + 1, clock.now + step_s
        before = list(schedule.corrections)
        if schedule.correct(step):
            assert kept[-1] == schedule.corrections == [*before, schedule.corrections[-1]]
    assert step == pytest.approx(expected, abs=1) and clock.now <= 101.0 + step_s
    assert (not schedule.corrections) == (expected == 100)


def test_what_killed_processes_spent_counts() -> None:
    clock = Clock()
    schedule = Schedule(100, [], hundred(), clock=clock)
    schedule.start(40, spent_s=70.0)
    for step in range(41, 60):
        clock.now += 1.0
        schedule.correct(step)
    assert schedule.corrections[0] == Correction(45, 70)  # 25 s are left at a second each


def test_an_estimate_that_is_far_too_low_is_seen_before_the_steps_are_over() -> None:
    """12 steps where there is time for 10,000."""
    clock = Clock()
    schedule, step = Schedule(12, [], hundred(), clock=clock), 0
    schedule.start(0)
    while step < schedule.num_steps:
        step, clock.now = step + 1, clock.now + 0.01
        schedule.correct(step)
    assert step == pytest.approx(10_000, rel=0.02) and schedule.corrections[0].at == 2


def test_no_budget_no_correction() -> None:
    schedule = Schedule(10, clock=Clock())
    schedule.start(0)
    assert not any(schedule.correct(step) for step in range(1, 10))


def test_answers_at_epochs_ends_and_in_the_test_take_their_share() -> None:
    """10 s of 60 are kept for the test and the report; each step of 1 s has 0.5 s of an epoch's end to bear."""
    clock = Clock()
    budget = Budget(53.0 + REPORT_S, steps_an_epoch=10, num_selection=5, num_test=3, answer_s=1.0)
    assert budget.limit_s == 50.0 and budget.epoch_end_s == 5.0
    schedule = Schedule(1000, [], budget, clock=clock)
    schedule.start(0)
    for step in range(1, 11):
        clock.now += 1.0
        schedule.correct(step)
    assert schedule.num_steps == pytest.approx(10 + 40 / 1.5, abs=1)
    clock.now += 10.0
    schedule.epoch_ended(10.0)  # twice as long as was thought
    assert budget.answer_s == 2.0 and budget.limit_s == 47.0
    for step in range(11, 15):
        clock.now += 1.0
        schedule.correct(step)
    assert schedule.num_steps == pytest.approx(14 + (47 - 24) / 2, abs=1)


def test_corrections_are_kept_and_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A budget that is far off at first: fewer steps are taken, and the report and the log agree on them."""
    monkeypatch.setattr(settle, "_allowed", lambda *arguments: 100_000)
    lines = Lines()
    begin = time.perf_counter()
    run = train(from_arrays(*bars(300)), {"batch_size": 16}, Options(out=tmp_path / "run", minutes=0.2), lines)
    seen = [line for line in lines.lines if line.startswith("Budget: corrected to")]
    assert seen
    last = json.loads((run.path / "metrics.jsonl").read_text().splitlines()[-1])
    assert time.perf_counter() - begin < 20
    assert int(seen[-1].split()[3].replace(",", "")) == last["step"]


def test_a_test_of_several_views_takes_their_time() -> None:
    schedule = Schedule(100, budget=Budget(100.0, 10, num_selection=50, num_test=200, answer_s=0.01))
    assert schedule.budget is not None
    one = schedule.budget.limit_s
    schedule.will_test(7)
    assert one - schedule.budget.limit_s == pytest.approx(6 * 200 * 0.01)
    Schedule(100).will_test(7)  # without a budget nothing is expected


def test_mirror_images_are_tested_where_training_sees_them() -> None:
    recipe = Recipe(tta=("flip", "shift"))
    assert settle.tta_of(recipe, ("pad_crop",)) == ("shift",) and settle.views_tested(recipe, ("pad_crop",)) == 3
    assert settle.tta_of(recipe, ("flip",)) == ("flip", "shift") and settle.views_tested(recipe, ("flip",)) == 6
    assert settle.views_tested(Recipe(), ("flip",)) == 1


def test_a_training_that_goes_on_corrects_nothing_before_what_was_corrected() -> None:
    clock = Clock()
    schedule = Schedule(2000, [Correction(1200, 1500)], Budget(100, 100, 0, 0, 0.0), clock=clock)
    schedule.start(1000)
    for step in range(1001, 1201):
        clock.now += 0.5
        assert not schedule.correct(step)
    assert [schedule.done(step) for step in range(1000, 1500)] == sorted(schedule.done(s) for s in range(1000, 1500))
