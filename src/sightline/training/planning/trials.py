"""Measures what is fastest on this machine for this network, by timing real steps.

Comes in: a Network and its Batches; goes out: a Plan with what was measured. One question after the other, each from
the answer to the one before: precision and memory layout, the number of threads, pictures side by side, compilation.
Trials run on copies, so training starts from untouched weights; where a step is long, or memory does not do for it, on
a part of a batch.
"""

import copy
import math
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import nn

from sightline.data.batches import Batch, Batches
from sightline.engines.memory import unless_too_large
from sightline.errors import TrainingError
from sightline.models import Network
from sightline.models.halves import Upper
from sightline.training.micro import has_batch_norm
from sightline.training.objectives import Objective
from sightline.training.optimise import LossOf, Optimizer
from sightline.training.planning.plan import Plan, Precision
from sightline.training.recipe import Recipe

# A faster precision is taken only if its first loss agrees with float32's to this share.
MAX_LOSS_DIFFERENCE = 0.02
NUM_ROUNDS, MIN_ROUNDS = 6, 2  # with fewer, a busy moment could be taken for a slow plan
MAX_SHARE, MIN_LIMIT_S = 0.03, 10.0  # of the expected training, and what trials may cost in any case
CLEARLY = 0.95  # a challenger must need less than this share of the time: layouts differ in their last bits
HOPELESS = 1.5
SMALL = 4  # pictures of a first step that tells how long one is
COMPILING_S = 90.0  # what compiling a ResNet-18 took on two cores; a run must be long enough for it to pay back
COMPILERS = ("c++", "g++", "clang++")


def measure(
    network: Network,
    batches: Batches,
    recipe: Recipe,
    objective: Objective,
    num_steps: int,
    budget_s: float | None = None,
) -> Plan:
    """The fastest plan that agrees with float32, for a training of `num_steps`, or of a budget."""
    begin = time.perf_counter()
    batch = next(batches.epoch(0))  # training begins with epoch 1
    batch_s = time.perf_counter() - begin
    threads, default = torch.get_num_threads(), default_plan()
    trial = Trial(network, batches, recipe, objective, batch)
    first_s = trial.shortened(num_steps if budget_s is None else 0)
    limit_s = max(MIN_LIMIT_S, MAX_SHARE * (num_steps * first_s if budget_s is None else budget_s))
    try:
        best = trial.fastest(default, _precisions_and_layouts(network, default), begin + limit_s)
        best = trial.fastest(best, _threads(network, best), begin + limit_s)
        best = trial.fastest(best, _side_by_side(network, best), begin + limit_s)
        if _may_compile(network) and begin + limit_s - time.perf_counter() > COMPILING_S:
            best = trial.fastest(best, [replace(best, side_by_side=False, compiled=True)], begin + limit_s)
    finally:
        torch.set_num_threads(threads)
    seconds = {plan.name: s / trial.share for plan, s in trial.seconds.items() if s < math.inf}
    return replace(best, step_s=seconds[best.name], batch_s=batch_s, trials=seconds)


def timed(
    plan: Plan,
    network: Network,
    batches: Batches,
    recipe: Recipe,
    objective: Objective,
    upper: Upper | None = None,
    rivals: Sequence[Plan] = (),
) -> Plan:
    """A plan that was chosen before, or a rival that is clearly faster now, with what it takes; where the `upper` half
    alone trains, what that takes.
    """
    begin, threads = time.perf_counter(), torch.get_num_threads()
    batch = next(batches.epoch(0))
    batch_s = time.perf_counter() - begin
    trial = Trial(network, batches, recipe, objective, batch, upper)
    trial.shortened(num_steps=0)
    try:
        plan = trial.fastest(plan, rivals, begin + MIN_LIMIT_S / 2)
    finally:
        torch.set_num_threads(threads)
    return replace(plan, step_s=trial.seconds[plan] / trial.share, batch_s=batch_s)


def default_plan() -> Plan:
    """What is right almost everywhere, and what others are compared with."""
    return Plan("float32", True, torch.get_num_threads())


@dataclass
class Trial:
    """Steps on copies of a network, timed. `seconds`: plan -> its fastest step; `share`: of the batch's pictures."""

    network: Network
    batches: Batches
    recipe: Recipe
    objective: Objective
    batch: Batch
    upper: Upper | None = None
    share: float = 1.0
    num_steps: int = 0
    began: float = field(default_factory=time.perf_counter)
    seconds: dict[Plan, float] = field(default_factory=dict)
    reference: float = math.nan

    def shortened(self, num_steps: int) -> float:
        """Seconds that a whole step may take; from here on steps are of a part of the batch, where they are long.

        `num_steps`: of the training, 0 where a budget limits it.
        """
        self.num_steps = num_steps
        size, few = len(self.batch.labels), min(SMALL, len(self.batch.labels))
        while (few_s := unless_too_large(partial(self._second_step, self.batch.first(few)))) is None:
            few = self._half(few)
        whole_s = few_s * size / few
        if size <= SMALL:
            self.batch, self.share = self.batch.first(few), few / size
            return whole_s
        limit_s = max(MIN_LIMIT_S, MAX_SHARE * num_steps * whole_s)
        affordable_s = limit_s / (4 * (NUM_ROUNDS + 2))  # of four plans, with their warm-up
        if whole_s > affordable_s:
            num = min(size, SMALL * max(1, int(size * affordable_s / whole_s) // SMALL))
            self.batch, self.share = self.batch.first(num), num / size
        return whole_s

    def fastest(self, current: Plan, rivals: Iterable[Plan], deadline: float) -> Plan:
        """`current`, or the rival that is clearly faster and whose loss agrees; all in turn, the hopeless no more.

        A rival that memory does not do for is left out. Where it does not do for `current`, steps are of half as many
        pictures from here on. Raises TrainingError where that is none.
        """
        steps, rivals = dict[Plan, Callable[[], float]](), list(rivals)
        for plan in (current, *rivals):
            if steps and time.perf_counter() > deadline:
                break
            begun = unless_too_large(partial(self._begun, plan))
            if begun is None and plan == current:
                return self._of_fewer(current, rivals, deadline)
            if begun is None:
                continue
            step, loss = begun
            if not steps and math.isnan(self.reference):
                self.reference = loss
            if plan == current or abs(loss - self.reference) <= MAX_LOSS_DIFFERENCE * abs(self.reference):
                steps[plan] = step
        found, num_rounds = _in_turn(steps, self._suffices, deadline)
        if found[current] == math.inf:
            steps.clear()
            return self._of_fewer(current, rivals, deadline)
        for plan, seconds in found.items():
            self.seconds[plan] = min(seconds, self.seconds.get(plan, math.inf))
        best = min(found, key=lambda plan: found[plan])
        return best if num_rounds >= MIN_ROUNDS and found[best] < CLEARLY * found[current] else current

    def _suffices(self, num_rounds: int, step_s: float) -> bool:
        """Whether so many rounds do: more cost a short training more than they may gain."""
        spent_s, whole_s = time.perf_counter() - self.began, self.num_steps * step_s / self.share
        return num_rounds >= NUM_ROUNDS or (num_rounds >= MIN_ROUNDS and 0 < MAX_SHARE * whole_s < spent_s)

    def _begun(self, plan: Plan) -> tuple[Callable[[], float], float]:
        """A step that is warm, and its first loss."""
        step = self._step(plan, self.batch)
        torch.manual_seed(0)  # the same dropout for all
        return step, step()

    def _of_fewer(self, current: Plan, rivals: list[Plan], deadline: float) -> Plan:
        """`fastest` by half as many pictures; what was timed by more is forgotten."""
        num = len(self.batch.labels)
        half = self._half(num)
        self.batch, self.share = self.batch.first(half), self.share * half / num
        self.seconds, self.reference = {}, math.nan
        return self.fastest(current, rivals, deadline)

    def _half(self, num: int) -> int:
        if num // 2 < (2 if has_batch_norm(self.network) else 1):
            raise TrainingError(
                f"memory ran out while plans were tried, even for {num} picture{'s' * (num > 1)} at once. Choose "
                "a smaller size (--size) or network (--model), or measure nothing (--plan off), which needs less"
            )
        return num // 2

    def _second_step(self, batch: Batch) -> float:
        step = self._step(default_plan(), batch)
        step()
        begin = time.perf_counter()
        step()
        return time.perf_counter() - begin

    def _step(self, plan: Plan, batch: Batch) -> Callable[[], float]:
        """A function that makes one training step and returns the loss."""
        network, upper = copy.deepcopy((self.network, self.upper))  # which share their parts
        network.to(memory_format=torch.channels_last if plan.channels_last else torch.contiguous_format)
        network.train()
        optimiser = Optimizer(network, self.recipe, plan)
        loss_of = LossOf(network, self.objective, self.batches.preprocessing, plan, upper=upper)

        def step() -> float:
            torch.set_num_threads(plan.num_threads)
            loss = loss_of(batch)
            optimiser.backward(loss)
            optimiser.step(1e-6)
            return loss.item()  # which a GPU has to wait for

        return step


def _in_turn(
    steps: dict[Plan, Callable[[], float]], suffices: Callable[[int, float], bool], deadline: float
) -> tuple[dict[Plan, float], int]:
    """Seconds of the fastest step of each, and how many rounds. After one, those hopelessly behind step no more."""
    seconds, num_rounds = dict.fromkeys(steps, math.inf), 0
    while not num_rounds or (time.perf_counter() < deadline and not suffices(num_rounds, min(seconds.values()))):
        num_rounds += 1
        for plan, step in steps.items():
            if seconds[plan] < math.inf and seconds[plan] > HOPELESS * min(seconds.values()):
                continue
            begin = time.perf_counter()
            if unless_too_large(step) is not None:
                seconds[plan] = min(seconds[plan], time.perf_counter() - begin)
    return seconds, num_rounds


def _precisions_and_layouts(network: nn.Module, default: Plan) -> list[Plan]:
    """All but the default itself."""
    precisions: list[Precision] = ["float32", *_precisions(network)]
    plans = [replace(default, precision=p, channels_last=layout) for p in precisions for layout in (True, False)]
    return [plan for plan in plans if plan != default]


def _precisions(network: nn.Module) -> list[Precision]:
    """Those that the hardware has: without it, bfloat16 is 20 times slower than float32."""
    if next(network.parameters()).is_cuda:
        has_tf32 = torch.cuda.get_device_capability() >= (8, 0)
        has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
        low: Precision = "bfloat16" if has_bfloat16 else "float16"
        return ["tf32", low] if has_tf32 else [low]
    has_onednn = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]  # of torch
    return ["bfloat16"] if has_onednn and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) else []


def _threads(network: nn.Module, plan: Plan) -> list[Plan]:
    """Fewer threads: small networks spend more on handing work out than they gain."""
    if next(network.parameters()).is_cuda:
        return []
    return [replace(plan, num_threads=n) for n in sorted({plan.num_threads // 2, 1}) if 0 < n < plan.num_threads]


def _side_by_side(network: nn.Module, plan: Plan) -> list[Plan]:
    """Where tiles are what multiplies, and what they are laid in is at hand."""
    is_for_it = plan.precision == "bfloat16" and plan.channels_last and not next(network.parameters()).is_cuda
    return [replace(plan, side_by_side=True)] if is_for_it and any(_convolutions(network)) else []


def _convolutions(network: nn.Module) -> Iterable[nn.Module]:
    return (module for module in network.modules() if isinstance(module, nn.Conv2d) and module.groups == 1)


def _may_compile(network: nn.Module) -> bool:
    """Whether torch.compile has what it needs: a C++ compiler, or Triton for a GPU."""
    if next(network.parameters()).is_cuda:
        return bool(torch.utils._triton.has_triton())
    return any(shutil.which(name) for name in COMPILERS)
