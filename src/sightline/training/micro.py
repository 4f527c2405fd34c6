"""The gradients of a step, in one go or, where memory does not do for that, from smaller parts of its batch.

Comes in: a batch; goes out: the gradients of its whole loss in the network's parameters. Into how many parts batches
are cut, and from which step on, is kept before it has an effect, so that a training that goes on after a kill does the
same. The batch, the number of steps and the rate stay what they were. Must not know files or the terminal.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from sightline.data.batches import Batch
from sightline.engines.memory import unless_too_large
from sightline.errors import TrainingError
from sightline.models import Network
from sightline.training.optimise import LossOf
from sightline.training.progress import Progress, Silent
from sightline.training.resuming.state import State
from sightline.training.together.processes import ALONE, Processes


@dataclass(frozen=True)
class Cut:
    """From step `at` on batches are computed in `num_parts`."""

    at: int
    num_parts: int


@dataclass
class Cuts:
    """All of a training. `keep`: called with all before a new one has an effect.

    `forbidden`: why there may be none, the beginning of a sentence; empty where there may.
    """

    made: list[Cut] = field(default_factory=list)
    keep: Callable[[list[Cut]], object] = lambda cuts: None
    forbidden: str = ""

    def num_parts(self, step: int) -> int:
        return max((cut.num_parts for cut in self.made if cut.at <= step), default=1)

    def add(self, cut: Cut) -> None:
        self.keep([*self.made, cut])
        self.made.append(cut)


class Gradients:
    """Batch -> its gradients, in the parameters, and its loss. What a failed attempt has changed is put back.

    `keep_statistics`: batch normalisation is not by the batch, as it trains.
    """

    def __init__(
        self,
        loss_of: LossOf,
        state: State,
        cuts: Cuts,
        processes: Processes = ALONE,
        progress: Progress | None = None,
        keep_statistics: bool = False,
    ) -> None:
        self.loss_of, self.state, self.cuts, self.processes = loss_of, state, cuts, processes
        self.progress = progress or Silent()
        self.by_batch = not keep_statistics and has_batch_norm(state.network)
        # Normalisation's running statistics, which a forward pass moves. 0.08 ms a step for ResNet-50's 159.
        self._buffers = [b for b in state.network.buffers() if b.numel()]
        self._before = [torch.empty_like(b) for b in self._buffers]

    @property
    def notes(self) -> list[str]:
        """What the report says about it."""
        if not self.cuts.made:
            return []
        first, num_parts = min(cut.at for cut in self.cuts.made), max(cut.num_parts for cut in self.cuts.made)
        return [f"Memory did not do for a whole batch: from step {first:,} on {self._how(num_parts)}."]

    def __call__(self, batch: Batch) -> float:
        """Raises TrainingError where memory does not do for the smallest parts, or batches must not be cut."""
        if self._buffers:
            torch._foreach_copy_(self._before, self._buffers)
        while True:
            num_parts = min(self.cuts.num_parts(self.state.at.step), len(batch.labels))
            self.state.draw_anew(self.processes.rank)
            problems = list[str]()
            mean = unless_too_large(partial(self._loss_in, num_parts, batch), problems.append)
            if mean is not None:
                return mean
            self._undo()
            self._cut(batch, num_parts, problems[0])

    def _loss_in(self, num_parts: int, batch: Batch) -> float:
        mean = self._pass(num_parts, batch)
        if radius := self.state.optimiser.recipe.sam:
            statistics = [b.clone() for b in self._buffers]  # those of the weights themselves stay
            self.state.draw_anew(self.processes.rank)
            with self.state.optimiser.uphill(radius):
                self._pass(num_parts, batch)
            if self._buffers:
                torch._foreach_copy_(self._buffers, statistics)
        return mean

    def _pass(self, num_parts: int, batch: Batch) -> float:
        """The gradients where the weights are, and the loss."""
        if num_parts == 1:
            loss, mean = self.processes.loss(self.loss_of, batch)
            self.state.optimiser.backward(loss)
            return mean
        whole, total = self.loss_of.weight(batch), 0.0
        for number, part in enumerate(parts(batch, num_parts)):
            loss = self._share(part, whole)
            self.state.optimiser.backward(loss, adds=number > 0)
            total += loss.item()
        return total

    def _share(self, part: Batch, whole: float) -> Tensor:
        """What a part adds to the mean over the whole batch."""
        return self.loss_of(part) * (self.loss_of.weight(part) / whole)

    def _undo(self) -> None:
        if self._buffers:
            torch._foreach_copy_(self._buffers, self._before)
        self.state.optimiser.forget_gradients()
        self.loss_of.release()

    def _cut(self, batch: Batch, num_parts: int, problem: str) -> None:
        size, step = len(batch.labels), self.state.at.step
        largest, smaller = -(-size // num_parts), min(2 * num_parts, size)
        if self.cuts.forbidden:
            raise TrainingError(
                f"memory ran out in step {step:,}, for {size} pictures of a batch ({problem}). {self.cuts.forbidden}: "
                f"make the batches smaller (--set batch_size={max(1, self.state.batches.batch_size // 2)})"
            )
        # Batch normalisation needs two pictures: by its own statistics alone, each would look like any other.
        if largest == 1 or size // smaller < (2 if self.by_batch else 1):
            raise TrainingError(
                f"memory ran out in step {step:,}, even for {largest} picture{'s' * (largest > 1)} at once "
                f"({problem}). Choose a smaller size (--size), or a smaller network (--model)"
            )
        self.cuts.add(Cut(step, smaller))
        self.progress.say(
            f"Memory ran out in step {step:,} for {largest} pictures at once: from here on {self._how(smaller)}"
        )

    def _how(self, num_parts: int) -> str:
        text = f"batches are computed in {num_parts} parts whose gradients are added up"
        if self.by_batch:
            return f"{text}; the same but for dropout and batch normalisation, whose statistics are each part's own"
        return f"{text}, which but for dropout is the same within rounding"


def parts(batch: Batch, num_parts: int) -> list[Batch]:
    """The batch in parts whose sizes differ by one at most."""
    ends = [len(batch.labels) * i // num_parts for i in range(num_parts + 1)]
    return [batch.part(begin, end) for begin, end in pairwise(ends)]


def has_batch_norm(network: Network) -> bool:
    """Whether it has layers that normalise the pictures of a batch by each other."""
    return any(isinstance(module, torch.nn.modules.batchnorm._BatchNorm) for module in network.modules())
