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
from sightline.models import Network
from sightline.training.optimise import Optimizer, loss_of
from sightline.training.plan import Plan, Precision
from sightline.training.recipe import Recipe

# A faster precision is taken only if its first loss agrees with float32's to this share.
MAX_LOSS_DIFFERENCE = 0.02
NUM_TIMED = 3
MAX_TRIAL_S = 3.0


def measure(network: Network, batches: Batches, recipe: Recipe) -> Plan:
    """Time a few real steps of each sensible combination and take the fastest that agrees with float32."""
    begin = time.perf_counter()
    batch = next(batches.epoch(0))  # training begins with epoch 1
    batch_s = time.perf_counter() - begin
    precisions: tuple[Precision, ...] = ("float32", "bfloat16") if _has_bfloat16(network) else ("float32",)
    candidates = [Plan(p, layout, torch.get_num_threads()) for p in precisions for layout in (True, False)]
    trials: dict[str, float] = {}
    reference: float | None = None
    for candidate in candidates:
        run = _step(copy.deepcopy(network), candidate, batch, batches, recipe)
        loss, seconds = _time(run, min(trials.values(), default=math.inf))
        reference = loss if reference is None else reference
        if abs(loss - reference) <= MAX_LOSS_DIFFERENCE * abs(reference):
            trials[candidate.name] = seconds
    best = min((c for c in candidates if c.name in trials), key=lambda c: trials[c.name])
    return replace(best, step_s=trials[best.name], batch_s=batch_s, trials=trials)


def _step(network: Network, plan: Plan, batch: Batch, batches: Batches, recipe: Recipe) -> Callable[[], float]:
    """A function that makes one training step on `batch` and returns the loss."""
    layout = torch.channels_last if plan.channels_last else torch.contiguous_format
    network.to(memory_format=layout).train()
    optimiser = Optimizer(network, recipe)

    def step() -> float:
        loss = loss_of(network, batch, recipe, batches.preprocessing, plan, None)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step(1e-6)
        return loss.item()

    return step


def _time(run: Callable[[], float], best_s: float) -> tuple[float, float]:
    """The loss of the first step, and the seconds of the fastest later one; a hopeless trial is cut short."""
    start = time.perf_counter()
    loss = run()
    first_s = time.perf_counter() - start
    if first_s > 3 * best_s:  # the first step warms up, but not by that much
        return loss, first_s
    seconds = list[float]()
    while len(seconds) < NUM_TIMED and time.perf_counter() - start < MAX_TRIAL_S:
        begin = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begin)
    return loss, min(seconds, default=first_s)


def _has_bfloat16(network: nn.Module) -> bool:
    """Whether bfloat16 is worth a trial: with no hardware for it, it is 20 times slower than float32."""
    if next(network.parameters()).is_cuda:
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
