"""The training loop. Comes in: a Network, Batches, a Recipe and a Plan; goes out: the trained network and its history.

It reads downward: batch, loss, step, log; at an epoch's end evaluate, keep, stop. Must not know files or the terminal.
"""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from sightline.data.batches import Batches
from sightline.engines.torch import TorchEngine
from sightline.errors import TrainingError
from sightline.metrics import MAIN
from sightline.report import Epoch
from sightline.training.interrupt import between_steps
from sightline.training.objectives import Objective
from sightline.training.optimise import Optimizer, loss_of, rate_factor
from sightline.training.plan import Plan
from sightline.training.prepare import Selection
from sightline.training.progress import Progress
from sightline.training.recipe import Recipe
from sightline.training.safe import SafetyProbe
from sightline.training.waiting import Waiting

MAX_LINES = 20  # epochs that are told of; metrics.jsonl has them all


@dataclass
class Outcome:
    """What training left besides the weights."""

    history: list[Epoch] = field(default_factory=list)
    augmentations: tuple[str, ...] = ()
    num_steps: int = 0
    kept_epoch: int | None = None  # None: the last weights
    stopped_by_patience: bool = False
    interrupted: bool = False
    waiting: str = ""  # what the steps' time went into, in words


def fit(
    engine: TorchEngine,
    batches: Batches,
    selection: Selection,
    recipe: Recipe,
    objective: Objective,
    plan: Plan,
    num_steps: int,
    progress: Progress,
    log: Callable[[Epoch], None],
    head_loss: float | None = None,
) -> Outcome:
    """Train the engine's network for `num_steps`, in place. Ctrl-C ends it early with the weights as they are.

    `head_loss`: the head was fitted before, to this loss on the training pictures; the network as it is competes as
    epoch 0 for being kept.
    Raises TrainingError at the first loss that is not a finite number.
    """
    with_head = head_loss is not None
    network, outcome, keeper = engine.network, Outcome(), _Keeper(recipe, with_head)
    untried = [name for name in recipe.augment_if_safe if name not in batches.augmentations]
    probe = SafetyProbe(untried if num_steps else [], batches.seed, objective)
    optimiser = Optimizer(network, recipe)
    main = MAIN[batches.dataset.task].replace("_", " ")
    step, epoch, began, waiting, waited_s = 0, 0, time.perf_counter(), Waiting(), 0.0
    every = max(1, num_steps // len(batches) // MAX_LINES)

    def close_epoch(losses: list[float], rate: float) -> None:
        record = _measured(engine, objective, selection, epoch, step, losses, rate, time.perf_counter() - began)
        record = replace(record, waited_s=waiting.waited_s - waited_s)
        log(record)
        if epoch % every == 0 or step == num_steps:
            progress.say(_sentence(record, main))
        outcome.history.append(record)
        keeper.consider(record, network)

    try:
        with between_steps() as check_for_ctrl_c:
            if head_loss is not None:
                close_epoch([head_loss], 0.0)
            if with_head and len(selection.labels):
                batches = probe.update(engine, selection, batches, share_done=0.0, say=progress.say)
            while step < num_steps and not keeper.is_patience_over:
                epoch, losses, began, waited_s = epoch + 1, [], time.perf_counter(), waiting.waited_s
                _train_mode(network, keep_statistics=with_head)
                for batch in waiting.over(batches.epoch(epoch)):
                    rate = recipe.learning_rate * rate_factor(recipe, step / num_steps)
                    loss = loss_of(network, batch, objective, batches.preprocessing, plan)
                    losses.append(_finite(loss.item(), step, epoch, rate))
                    optimiser.zero_grad()
                    loss.backward()  # type: ignore[no-untyped-call]  # of torch
                    optimiser.step(rate)
                    step += 1
                    check_for_ctrl_c()
                    progress.step(step, num_steps, f"epoch {epoch}  loss {np.mean(losses[-50:]):.3f}")
                    if step == num_steps:
                        break
                close_epoch(losses, rate)
                batches = probe.update(engine, selection, batches, share_done=step / num_steps, say=progress.say)
    except KeyboardInterrupt:
        outcome.interrupted = True
        progress.say("Stopped by Ctrl-C: what has been learned so far will be saved and tested.")
    outcome.waiting = waiting.sentence()
    if outcome.waiting:
        progress.say(f"Time: {outcome.waiting}")
    keeper.restore(network)
    outcome.augmentations, outcome.num_steps = batches.augmentations, step
    outcome.kept_epoch, outcome.stopped_by_patience = keeper.best_epoch, keeper.is_patience_over
    return outcome


def _train_mode(network: torch.nn.Module, keep_statistics: bool) -> None:
    """Training mode; pretrained normalisation layers may keep their statistics, which small batches would spoil."""
    network.train()
    if keep_statistics:
        for module in network.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.eval()


def _finite(loss: float, step: int, epoch: int, rate: float) -> float:
    if math.isfinite(loss):
        return loss
    raise TrainingError(
        f"the loss is {loss} at step {step} (epoch {epoch}, learning rate {rate:.3g}); training stopped. "
        f"Try a lower rate (--set learning_rate={rate / 10:.2g}) or a longer warm-up (--set warmup=0.4)"
    )


def _measured(
    engine: TorchEngine,
    objective: Objective,
    selection: Selection,
    epoch: int,
    step: int,
    losses: list[float],
    rate: float,
    seconds: float,
) -> Epoch:
    """The epoch's line in the history."""
    val_loss = val_figure = None
    if len(selection.labels):
        val_loss, val_figure = objective.selected(engine.answer(selection.pictures), selection.labels)
        _finite(val_loss, step, epoch, rate)
    train_loss = float(np.mean(losses)) if losses else None
    return Epoch(epoch, step, train_loss, val_loss, val_figure, rate, seconds)


def _sentence(record: Epoch, main: str) -> str:
    """An epoch in a line; `main`: what the task's figure is called."""
    text = f"epoch {record.epoch:3d}" if record.epoch else "head     "
    if record.train_loss is not None:
        text += f"  train loss {record.train_loss:.4f}"
    if record.val_loss is not None:
        text += f"  val loss {record.val_loss:.4f}"
    if record.val_figure is not None:
        is_share = main != "r2"  # which may lie below 0
        text += f"  val {main} {record.val_figure:{'.2%' if is_share else '.3f'}}"
    return f"{text}  {record.seconds:.1f} s"


class _Keeper:
    """Remembers the weights with the best selection loss, where the recipe wants them or may stop early."""

    def __init__(self, recipe: Recipe, with_head: bool) -> None:
        self.patience = recipe.patience
        self.is_needed = recipe.keep == "best" or recipe.patience > 0 or with_head
        self.best_loss, self.since_best = math.inf, 0
        self.best_epoch: int | None = None
        self.state: dict[str, torch.Tensor] | None = None

    @property
    def is_patience_over(self) -> bool:
        return 0 < self.patience <= self.since_best

    def consider(self, record: Epoch, network: torch.nn.Module) -> None:
        if not self.is_needed or record.val_loss is None:
            return
        self.since_best += 1
        if record.val_loss < self.best_loss:
            self.best_loss, self.since_best, self.best_epoch = record.val_loss, 0, record.epoch
            self.state = copy.deepcopy(network.state_dict())

    def restore(self, network: torch.nn.Module) -> None:
        if self.state is not None:
            network.load_state_dict(self.state)
