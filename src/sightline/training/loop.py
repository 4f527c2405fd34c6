"""The training loop. Comes in: a Network, Batches, a Recipe and a Plan; goes out: the trained network and its history.

It reads downward: batch, loss, step, checkpoint; at an epoch's end evaluate, log, keep. Must not know the terminal.
"""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch

from sightline.data.batches import Batches
from sightline.data.preprocess import Pixels
from sightline.engines.torch import TorchEngine, flushing_denormals
from sightline.errors import TrainingError
from sightline.metrics import MAIN
from sightline.models.halves import Upper
from sightline.report import Epoch
from sightline.training.micro import Cuts, Gradients
from sightline.training.objectives import Logits, Objective
from sightline.training.optimise import LossOf, rate_factor
from sightline.training.planning.plan import Plan
from sightline.training.planning.threads import Threads
from sightline.training.prepare import Selection
from sightline.training.progress import Progress
from sightline.training.recipe import Recipe
from sightline.training.resuming.checkpoint import Checkpoints, NoCheckpoints, Snapshot
from sightline.training.resuming.interrupt import between_steps
from sightline.training.resuming.state import Position, State
from sightline.training.safe import Answer
from sightline.training.schedule import Schedule
from sightline.training.settle import views_tested
from sightline.training.teacher import Teacher
from sightline.training.together.processes import ALONE, Processes
from sightline.training.waiting import Waiting

MAX_LINES = 20  # epochs that are told of; metrics.jsonl has them all
SLOWER = 0.25  # of the learning rate, after a loss that was no finite number
LASTS = 0.1  # of a training: how long running statistics remember at most


@dataclass(frozen=True)
class Outcome:
    """What training left besides the weights. `kept_epoch` None: the last weights; `waiting`: see there."""

    history: list[Epoch]
    augmentations: tuple[str, ...]
    num_steps: int
    kept_epoch: int | None
    stopped_by_patience: bool
    interrupted: bool
    waiting: str
    notes: list[str]


class _Diverged(Exception):
    """A loss or a weight that is no finite number; which, and where, in words."""


def fit(
    engine: TorchEngine,
    batches: Batches,
    selection: Selection,
    recipe: Recipe,
    objective: Objective,
    plan: Plan,
    schedule: Schedule,
    progress: Progress,
    log: Callable[[Epoch], None],
    checkpoints: Checkpoints | NoCheckpoints,
    with_head: bool = False,
    head_loss: float = math.nan,
    goes_on: bool = True,
    processes: Processes = ALONE,
    cuts: Cuts | None = None,
    upper: Upper | None = None,
    teacher: Teacher | None = None,
    threads: Threads | None = None,
) -> Outcome:
    """Train the engine's network by the schedule, in place, from the last checkpoint on where there is one.

    `with_head`: the head was fitted before, to `head_loss` on the pictures that train; the network as it is competes as
    epoch 0 for being kept. `goes_on`: False takes what the checkpoint holds. Ctrl-C and SIGTERM raise once a checkpoint
    is written. Where the loss is no finite number, training goes back to the last checkpoint, and on at a lower rate;
    the second time TrainingError is raised. `processes` that train together come to the same state, each with its share
    of the batches. `cuts`: those of batches that memory did not do for, which are added to. `upper`: the half of the
    network that trains, from `batches` of what the half below gives. `teacher`: whose answers count beside the labels.
    `threads`: those of each step.
    """
    network, waiting, threads = engine.network, Waiting(), threads or Threads(plan.num_threads)
    keeps = with_head and not recipe.prune  # a pruned network learns its own
    loss_of = LossOf(network, objective, batches.preprocessing, plan, processes, upper, teacher)
    state = State(network, batches, recipe, objective, plan, schedule.num_steps, with_head)
    gradients = Gradients(loss_of, state, cuts or Cuts(), processes, progress, keep_statistics=keeps)
    main, every = MAIN[batches.dataset.task].replace("_", " "), max(1, schedule.num_steps // len(batches) // MAX_LINES)

    def answer(pictures: Pixels) -> Logits:
        return processes.answer(engine, pictures)

    def rate_at(step: int) -> float:
        return recipe.learning_rate * state.at.slower * rate_factor(recipe, schedule.done(step))

    def save() -> None:
        checkpoints.save(state.at.step, state.tensors(), state.values())

    def close_epoch(rate: float) -> None:
        begin = time.perf_counter()
        record = _measured(answer, objective, selection, state.at, rate)
        schedule.epoch_ended(time.perf_counter() - begin)
        log(record)
        if record.epoch % every == 0 or record.step == schedule.num_steps:
            progress.say(_sentence(record, main))
        state.close_epoch(record, answer, selection, schedule.done(record.step), progress.say)
        schedule.will_test(views_tested(recipe, state.batches.augmentations))

    forget_in_time(network, schedule.num_steps)
    with between_steps() as asked_to_stop, checkpoints, flushing_denormals():
        if (saved := processes.first(checkpoints.last)) is not None:
            state.restore(saved)
            progress.say(f"Going on from step {state.at.step:,} of {schedule.num_steps:,}")
            for record in state.history:
                log(record)
        else:
            if with_head:
                state.at.batch, state.at.loss_sum = 1, head_loss
                close_epoch(0.0)
            state.at.epoch = 1
            save()
        schedule.will_test(views_tested(recipe, state.batches.augmentations))
        schedule.start(state.at.step, state.at.spent_s)
        while state.at.batch or (goes_on and state.at.step < schedule.num_steps and not state.keeper.is_patience_over):
            at, recent = state.at, deque[float](maxlen=50)
            began, waited_s = time.perf_counter() - at.seconds, waiting.waited_s - at.waited_s
            train_mode(network, keep_statistics=keeps)
            try:
                left = None if goes_on and at.step < schedule.num_steps else 0  # else to be closed alone
                for batch in islice(waiting.over(state.batches_left(schedule.done)), left):
                    threads.begin(at.step, batch.images.numel())
                    recent.append(_finite(gradients(batch), at, rate_at(at.step)))
                    state.optimiser.step(rate_at(at.step))
                    state.average.add(schedule.done(at.step), schedule.done(at.step + 1))
                    at.step, at.batch, at.loss_sum = at.step + 1, at.batch + 1, at.loss_sum + recent[-1]
                    at.seconds, at.waited_s = time.perf_counter() - began, waiting.waited_s - waited_s
                    at.spent_s = schedule.spent_s
                    schedule.correct(at.step)
                    progress.step(at.step, schedule.num_steps, f"epoch {at.epoch}  loss {np.mean(recent):.3f}")
                    stop, num_steps = processes.agree(asked_to_stop(), schedule.num_steps)
                    schedule.follow(at.step, num_steps)
                    if (stop is not None or checkpoints.is_due()) and state.is_finite():
                        save()
                    if stop is not None:
                        raise stop
                    if at.step >= schedule.num_steps:
                        break
                _finite(0.0 if state.is_finite() else math.nan, at, rate_at(at.step - 1))
                with state.average.in_place():
                    processes.same_statistics(network)
                    close_epoch(rate_at(at.step - 1))
            except _Diverged as error:
                _go_back(state, processes.first(checkpoints.last), str(error))
                progress.say(state.notes[-1])
                save()
        if goes_on:
            save()
        if (stop := processes.agree(asked_to_stop(), schedule.num_steps)[0]) is not None:
            raise stop
        if schedule.corrections:
            progress.say(f"Budget: corrected to {schedule.num_steps:,} steps in {len(schedule.corrections)} looks")
        if sentence := waiting.sentence():
            progress.say(f"Time: {sentence}")
        state.average.swap()
        state.keeper.restore(network)
        over = state.keeper.is_patience_over
        return Outcome(
            state.history,
            state.batches.augmentations,
            state.at.step,
            state.keeper.best_epoch,
            stopped_by_patience=over,
            interrupted=state.at.step < schedule.num_steps and not over,
            waiting=sentence,
            notes=[*state.notes, *gradients.notes],
        )


def train_mode(network: torch.nn.Module, keep_statistics: bool) -> None:
    """Training mode; pretrained normalisation layers may keep their statistics, which small batches would spoil."""
    network.train()
    if keep_statistics:
        for module in network.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.eval()


def forget_in_time(network: torch.nn.Module, num_steps: int) -> None:
    """Running statistics that would still hold what they began with at the end (MNASNet's remember 3,300 steps,
    MobileNetV3's 100) forget faster: a short training would answer by them at chance."""
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and module.momentum is not None and num_steps:
            module.momentum = max(module.momentum, min(1.0, 1 / (LASTS * num_steps)))


def _finite(loss: float, at: Position, rate: float) -> float:
    if math.isfinite(loss):
        return loss
    raise _Diverged(f"the loss is {loss} at step {at.step} (epoch {at.epoch}, learning rate {rate:.3g})")


def _go_back(state: State, saved: Snapshot | None, what: str) -> None:
    """To the last checkpoint, at a lower rate from there on. Raises TrainingError where that was done before."""
    rate = state.optimiser.recipe.learning_rate
    if saved is None or state.at.slower < 1:
        raise TrainingError(
            f"{what}; training stopped. "
            f"Try a lower rate (--set learning_rate={rate / 10:.2g}) or a longer warm-up (--set warmup=0.4)"
        )
    state.restore(saved)
    state.at.slower = SLOWER
    state.notes.append(
        f"{what[0].upper()}{what[1:]}: training went back to step {state.at.step:,}, "
        f"and on at {SLOWER:g} times the rate."
    )


def _measured(answer: Answer, objective: Objective, selection: Selection, at: Position, rate: float) -> Epoch:
    """The epoch's line in the history."""
    begin, val_loss, val_figure = time.perf_counter(), None, None
    if len(selection.labels):
        val_loss, val_figure = objective.selected(answer(selection.pictures), selection.labels)
        _finite(val_loss, at, rate)
    train_loss = at.loss_sum / at.batch if at.batch else None
    seconds = at.seconds + time.perf_counter() - begin
    return Epoch(at.epoch, at.step, train_loss, val_loss, val_figure, rate, seconds, at.waited_s)


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
