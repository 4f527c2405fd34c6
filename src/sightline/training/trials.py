"""Measures what is fastest on this machine for this network: precision and memory layout, by timing real steps.

Comes in: a Network and its Batches; goes out: a Plan with what was measured. Trials run on copies, so training
starts from untouched weights.
"""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from sightline.data.batches import Batch, Batches
from sightline.engines.torch import Normaliser
from sightline.models import Network
from sightline.training.objectives import Objective
from sightline.training.optimise import Optimizer, loss_of
from sightline.training.plan import Plan, Precision
from sightline.training.recipe import Recipe

# A faster precision is taken only if its first loss agrees with float32's to this share.
MAX_LOSS_DIFFERENCE = 0.02
NUM_ROUNDS = 4
MAX_TRIAL_S = 6.0  # no further round begins after this
CLEARLY = 0.9  # a challenger must need less than this share of the default's time
HOPELESS = 1.5


def measure(network: Network, batches: Batches, recipe: Recipe, objective: Objective) -> Plan:
    """Time real steps of each sensible combination, in turn, and take the fastest that agrees with float32.

    The first, float32 channels_last, stays unless another is clearly faster: layouts differ in their last bits, and
    a busy machine must not make the same seed give another network.
    """
    begin = time.perf_counter()
    batch = next(batches.epoch(0))  # training begins with epoch 1
    batch_s = time.perf_counter() - begin
    precisions: tuple[Precision, ...] = ("float32", "bfloat16") if _has_bfloat16(network) else ("float32",)
    candidates = [Plan(p, layout, torch.get_num_threads()) for p in precisions for layout in (True, False)]
    runs = {plan.name: _step(copy.deepcopy(network), plan, batch, batches, recipe, objective) for plan in candidates}
    losses = {}
    for name, run in runs.items():  # the first step warms up, with the same dropout for all
        torch.manual_seed(0)
        losses[name] = run()
    reference = losses[candidates[0].name]
    agree = [n for n, loss in losses.items() if not abs(loss - reference) > MAX_LOSS_DIFFERENCE * abs(reference)]
    trials = _in_turn({name: runs[name] for name in agree})
    default, fastest = candidates[0].name, min(trials, key=lambda name: trials[name])
    chosen = fastest if trials[fastest] < CLEARLY * trials[default] else default
    best = next(plan for plan in candidates if plan.name == chosen)
    return replace(best, step_s=trials[chosen], batch_s=batch_s, trials=trials)


def _in_turn(runs: dict[str, Callable[[], float]]) -> dict[str, float]:
    """Seconds of the fastest step of each. After a round, those hopelessly behind step no more."""
    start, seconds = time.perf_counter(), dict.fromkeys(runs, math.inf)
    for _ in range(NUM_ROUNDS):
        for name, run in runs.items():
            if seconds[name] < math.inf and seconds[name] > HOPELESS * min(seconds.values()):
                continue
            begin = time.perf_counter()
            run()
            seconds[name] = min(seconds[name], time.perf_counter() - begin)
        if time.perf_counter() - start > MAX_TRIAL_S:
            break
    return seconds


def _step(
    network: Network, plan: Plan, batch: Batch, batches: Batches, recipe: Recipe, objective: Objective
) -> Callable[[], float]:
    """A function that makes one training step on `batch` and returns the loss."""
    layout = torch.channels_last if plan.channels_last else torch.contiguous_format
    network.to(memory_format=layout).train()
    optimiser, normalise = Optimizer(network, recipe), Normaliser(batches.preprocessing, plan.channels_last)

    def step() -> float:
        loss = loss_of(network, batch, objective, normalise, plan)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step(1e-6)
        return loss.item()

    return step


def _has_bfloat16(network: nn.Module) -> bool:
    """Whether bfloat16 is worth a trial: with no hardware for it, it is 20 times slower than float32."""
    if next(network.parameters()).is_cuda:
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    has_onednn = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]  # of torch
    return has_onednn and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
