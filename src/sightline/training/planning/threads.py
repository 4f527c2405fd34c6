"""How many threads steps take. Comes in: when each begins; goes out: the number, and when it changes.

A plan is measured in a moment: with other work beside it one thread may be the fastest, and a third as fast as two for
the hours after. So where a plan takes fewer threads than there are, or steps have become far slower, others are tried
from time to time, for a few steps each, which train as all do. Threads change the last bits, so that each change is
kept before it has an effect: a training that goes on after a kill makes the same ones. Must not know networks.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

NUM_STEPS = 6  # of each number of threads, of which the fastest counts
FIRST_S, LAST_S = 15.0, 240.0  # until the first look; each that changes nothing doubles the wait for the next
CLEARLY = 0.8  # of the time, that a step must take at most for a change
SLOWER = 2.0  # times the fastest step: reason for a look where all threads are taken
HOPELESS = 3.0  # times as slow: tried no longer


@dataclass(frozen=True)
class Change:
    """From step `at` on there are `num` threads; `stays`: not only to be tried."""

    at: int
    num: int
    stays: bool


@dataclass
class Threads:
    """`num`: the plan's; `others`: what is tried, none where that must not be; `made`: changes that were made before.

    `keep`: called with all changes before a new one has an effect. `say`: told of those that stay.
    """

    num: int
    others: Sequence[int] = ()
    made: list[Change] = field(default_factory=list)
    keep: Callable[[list[Change]], object] = lambda changes: None
    say: Callable[[str], object] = lambda sentence: None
    clock: Callable[[], float] = time.perf_counter
    _began: tuple[float, int] | None = field(default=None, init=False)  # the step in progress: when, its pixels
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=NUM_STEPS), init=False)  # seconds a pixel
    _fastest: float = field(default=math.inf, init=False)  # of steps with the number that stays
    _looked: float = field(default=-math.inf, init=False)
    _wait_s: float = field(default=FIRST_S, init=False)
    _found: dict[int, float] = field(default_factory=dict, init=False)  # of a look, by threads, the former first

    def at(self, step: int) -> int:
        """How many a step takes, as far as is known."""
        return next((change.num for change in reversed(self.made) if change.at <= step), self.num)

    def staying(self, step: int) -> int:
        """Those that `step` has, or had before others were tried."""
        return next((each.num for each in reversed(self.made) if each.at <= step and each.stays), self.num)

    def begin(self, step: int, num_pixels: int) -> None:
        """Before each step, and its batch: settle how many it takes."""
        now = self.clock()
        if self._began is not None:
            self._recent.append((now - self._began[0]) / self._began[1])
        elif self._looked == -math.inf:
            self._looked = now
        is_known = bool(self.made) and step < self.made[-1].at  # from before a kill
        if self.others and not is_known:
            if not self._found and self.made and not self.made[-1].stays:  # killed while others were tried
                self._change(step, self.staying(step), True)
            if self._found:
                self._go_on(step)
            elif now - self._looked >= self._wait_s:
                self._look(step)
        if self.at(step) != torch.get_num_threads():
            torch.set_num_threads(self.at(step))
        self._began = self.clock(), num_pixels

    def _look(self, step: int) -> None:
        self._looked, now = self.clock(), self.at(step)
        if len(self._recent) < NUM_STEPS:
            return
        usual = min(self._recent)
        self._fastest = min(self._fastest, usual)
        if now < max(self.others) or usual > SLOWER * self._fastest:
            self._found = {now: usual}
            self._try_next(step)

    def _go_on(self, step: int) -> None:
        """The number that is being tried, once more, or no longer."""
        num, (former, usual) = self.at(step), next(iter(self._found.items()))
        is_hopeless = len(self._recent) > 1 and min(self._recent) > HOPELESS * usual
        if len(self._recent) < NUM_STEPS and not is_hopeless:
            return
        self._found[num] = min(self._recent)
        if self._try_next(step):
            return
        best = min(self._found, key=lambda each: self._found[each])
        is_clear = self._found[best] < CLEARLY * usual
        stays = best if is_clear else former
        self._change(step, stays, True)
        if stays != former:
            self.say(
                f"Threads: {stays} from step {step:,} on, {usual / self._found[stays]:.1f} times as fast as {former}"
            )
        self._fastest = self._found[stays]
        self._wait_s = FIRST_S if is_clear else min(2 * self._wait_s, LAST_S)
        self._found, self._looked = {}, self.clock()

    def _try_next(self, step: int) -> bool:
        """Whether there is another number to be tried."""
        left = [num for num in self.others if num not in self._found]
        if left:
            self._change(step, left[0], False)
        return bool(left)

    def _change(self, step: int, num: int, stays: bool) -> None:
        self._recent.clear()
        self._began = None  # the step before the change does not count, nor does what it took
        change = Change(step, num, stays)
        self.keep([*self.made, change])
        self.made.append(change)
