"""What is fastest on this machine for a network: a Plan, and how many steps a budget of time buys with it.

`trials` measures it. Never the batch size, which would change what is learned.
"""

import math
from dataclasses import dataclass, field
from typing import Literal

Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Plan:
    """Precision of the multiplications, memory layout, threads; `trials`: name -> seconds a step.

    `step_s` is the chosen one's, `batch_s` the time to make a batch of pictures.
    """

    precision: Precision
    channels_last: bool
    num_threads: int
    step_s: float = math.nan
    batch_s: float = math.nan
    trials: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.precision} {'channels_last' if self.channels_last else 'contiguous'}"

    def sentence(self) -> str:
        """What was chosen, and what else was tried."""
        slower = [f"{n} {s / self.step_s:.1f}x" for n, s in self.trials.items() if n != self.name]
        return f"{self.name}, {self.num_threads} thread{'s' if self.num_threads > 1 else ''}" + (
            f" (slower: {', '.join(slower)})" if slower else ""
        )


def steps_within(
    seconds: float, plan: Plan, steps_an_epoch: int, num_selection: int, num_test: int, batch_size: int
) -> int:
    """How many steps fit into a budget, the selection after each epoch and the final test counted in; at least 1."""
    answer_s = plan.step_s / batch_size / 2.5  # a forward pass is about a third of a step, and pictures are read
    reserve_s = 2.0 + answer_s * num_test + num_test * plan.batch_s / batch_size
    step_s = plan.step_s + plan.batch_s + answer_s * num_selection / steps_an_epoch
    return max(1, int((seconds - reserve_s) / step_s))
