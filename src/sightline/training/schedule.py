"""How many steps a training takes, and how far it is at each. Comes in: a number of steps, perhaps a budget of time;
goes out: the share that is done, from which the learning rate follows.

A budget's number of steps is an estimate from a few. While training goes on it is corrected, and each correction is
kept before it has an effect, so that a training that goes on after a kill makes the same ones. Must not know networks.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

EVERY = 0.04  # of a budget: how often it is looked at
TOLERANCE = 0.01  # of a budget: what is left alone
EVERY_SHARE = 0.1  # of the steps: how often it is looked at where they pass sooner, as the estimate was far too low
MIN_STEPS = 12  # that are begun with, so that there is a step to look after
REPORT_S = 3.0  # for the report
NUM_COSTS = 100  # of which the mean is taken


@dataclass(frozen=True)
class Correction:
    """At step `at` it was seen that there will be `num_steps`."""

    at: int
    num_steps: int


@dataclass
class Budget:
    """Seconds for everything, and what besides steps they have to do for: `answer_s` a picture, in one process.

    `num_processes` share the selection pictures; the first one answers those that test (`num_test`, with those that
    calibrate), each `num_views` times.
    """

    seconds: float
    steps_an_epoch: int
    num_selection: int
    num_test: int
    answer_s: float
    num_processes: int = 1
    num_views: int = 1

    @property
    def limit_s(self) -> float:
        """When the last step should be over, so that test and report have their time."""
        return self.seconds - REPORT_S - self.num_test * self.num_views * self.answer_s

    @property
    def epoch_end_s(self) -> float:
        return self.num_selection * self.answer_s / self.num_processes


@dataclass
class Schedule:
    """`keep`: called with all corrections before a new one has an effect. `began`: on the clock.

    `cost`: what a step takes where a share is done, beside others: smaller pictures take less.
    """

    first_num_steps: int
    corrections: list[Correction] = field(default_factory=list)
    budget: Budget | None = None
    keep: Callable[[list[Correction]], object] = lambda corrections: None
    began: float = 0.0
    clock: Callable[[], float] = time.perf_counter
    cost: Callable[[float], float] = lambda done: 1.0
    _from: float = 0.0  # the time of the first step of this process
    _costs: float = 0.0  # of its steps
    _looked: tuple[float, float] = (0.0, 0.0)  # when, and at which share

    @property
    def num_steps(self) -> int:
        """As far as is known by now."""
        return self.corrections[-1].num_steps if self.corrections else self.first_num_steps

    def done(self, step: int) -> float:
        """The share of the training that lies behind `step`: 0 to 1, in straight lines between corrections."""
        at, share, num_steps = 0, 0.0, self.first_num_steps
        for correction in self.corrections:
            if step <= correction.at:
                break
            share += (1 - share) * (correction.at - at) / max(1, num_steps - at)
            at, num_steps = correction.at, correction.num_steps
        return share + (1 - share) * (step - at) / max(1, num_steps - at)

    @property
    def spent_s(self) -> float:
        """Of the budget."""
        return self.clock() - self.began

    def start(self, step: int, spent_s: float = 0.0) -> None:
        """Steps begin, from `step` on; `spent_s`: what processes spent that were killed."""
        self.began -= spent_s
        self._from, self._costs = self.clock(), 0.0
        self._looked = self.clock(), self.done(step)

    def will_test(self, num_views: int) -> None:
        """The test will answer each picture so many times."""
        if self.budget is not None:
            self.budget.num_views = num_views

    def epoch_ended(self, seconds: float) -> None:
        """What it took to answer the selection pictures, which tells how long the test will take."""
        self._from += seconds
        if self.budget is not None and self.budget.num_selection:
            self.budget.answer_s = seconds * self.budget.num_processes / self.budget.num_selection

    def correct(self, step: int) -> bool:
        """After `step` steps: whether their number was changed."""
        budget = self.budget
        if budget is None or (self.corrections and step <= self.corrections[-1].at):  # which a kill has undone
            return False
        self._costs += self.cost(self.done(step - 1))
        is_early = self.clock() - self._looked[0] < EVERY * budget.seconds
        if is_early and self.done(step) - self._looked[1] < EVERY_SHARE:
            return False
        self._looked = self.clock(), self.done(step)
        step_s = mean_cost(self.cost, self.done(step)) * (self.clock() - self._from) / self._costs
        step_s += budget.epoch_end_s / budget.steps_an_epoch
        left_s = budget.limit_s - self.spent_s
        if abs((self.num_steps - step) * step_s - left_s) <= TOLERANCE * budget.seconds:
            return False
        num_steps = step + max(1, int(left_s / step_s))
        if num_steps == self.num_steps:
            return False
        self.keep([*self.corrections, Correction(step, num_steps)])
        self.corrections.append(Correction(step, num_steps))
        return True

    def follow(self, step: int, num_steps: int) -> None:
        """Take the number of steps that the process with the budget has come to after `step`."""
        if num_steps != self.num_steps:
            self.corrections.append(Correction(step, num_steps))


def mean_cost(cost: Callable[[float], float], done: float) -> float:
    """Of the steps from the share `done` on."""
    return sum(cost(done + (1 - done) * (i + 0.5) / NUM_COSTS) for i in range(NUM_COSTS)) / NUM_COSTS
