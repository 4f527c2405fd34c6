"""The trials of a search, one after the other. Comes in: a Rehearsal and a study; goes out: the trials, in the study.

What is proposed next, when a trial is hopeless, when the time is up. Must not know the terminal, or the pictures that
test.
"""

from __future__ import annotations

import itertools
import math
import random
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal  # Any: a result, as JSON

import numpy as np

from sightline.errors import ConfigError, TrainingError
from sightline.training.progress import Progress, T
from sightline.training.tuning.rehearsal import Rehearsal
from sightline.training.tuning.search import RESULT, Search, Tried, best_of, described, tried_of, written
from sightline.training.tuning.space import OneOf, Space

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import Trial

    from sightline.report import Epoch

REPORT_S = 3.0  # of the final training
# Before the rate comes down, losses say little about where a setting ends: hopeless trials are ended from here on.
JUDGED_FROM = 0.5
MIN_COMPARED = 5  # whole trials that a trial is compared with before it may be ended


def try_all(begun: Search, study: Study, ready: Rehearsal, progress: Progress, started: float) -> list[Tried]:
    """Trial after trial, until they are enough or the time is up; all of them."""
    import optuna

    study.pruner = optuna.pruners.MedianPruner(
        n_startup_trials=MIN_COMPARED, n_warmup_steps=math.ceil(JUDGED_FROM * ready.what.recipe.epochs)
    )
    _close_broken_off(study)
    every = _all_of(ready.space, begun.wanted.request.options.seed)
    limit = min(begun.wanted.num_trials or math.inf, math.inf if every is None else len(every))
    of, clock = f" of {limit:.0f}" if limit < math.inf else "", _Clock.of(ready, tried_of(study), started)
    while len(tried := tried_of(study)) < limit and clock.allows(tried):
        trial = _asked(study, ready.space, len(tried), every, begun.wanted.request.options.seed)
        result = _tried(trial, len(tried) + 1, study, ready, _OfTrial(progress, f"trial {len(tried) + 1}{of}"))
        tried = tried_of(study)
        begun.write_trials(tried, list(ready.space.ranges), ready.figure)
        progress.say(_sentence(result, of, ready.figure, is_best=best_of(tried) == result))
    return tried


def _asked(study: Study, space: Space, number: int, every: Sequence[Mapping[str, str]] | None, seed: int) -> Trial:
    """The next trial: the defaults first, then what the sampler proposes, or all there is where that is few.

    The sampler starts anew with each trial, from (seed, number) and the trials before: so a search that was killed
    proposes what it would have proposed.
    """
    import optuna

    drawn = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    study.sampler = optuna.samplers.TPESampler(seed=drawn)
    if every is not None:
        study.enqueue_trial(dict(every[number]))
    elif number == 0:
        study.enqueue_trial(space.of_default())
    return study.ask()


def _all_of(space: Space, seed: int) -> list[dict[str, str]] | None:
    """All settings, the defaults first, the others in random order, where each field has only a few; else None."""
    among = {name: found.names for name, found in space.ranges.items() if isinstance(found, OneOf)}
    if len(among) < len(space.ranges):
        return None
    first, *rest = (dict(zip(among, names, strict=True)) for names in itertools.product(*among.values()))
    random.Random(seed).shuffle(rest)
    return [first, *rest]


def _close_broken_off(study: Study) -> None:
    """Trials that were running when the search was killed: told of by then, or to be made anew."""
    from optuna.trial import TrialState

    for _ in study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        study.ask()
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        _tell(study, trial.number, trial.user_attrs.get(RESULT, {"state": "failed", "loss": None}))


def _tell(study: Study, number: int, result: Mapping[str, Any]) -> None:
    from optuna.trial import TrialState

    if result["state"] == "complete":
        study.tell(number, result["loss"])
    else:
        study.tell(number, state=TrialState.PRUNED if result["state"] == "pruned" else TrialState.FAIL)


def _tried(trial: Trial, number: int, study: Study, ready: Rehearsal, progress: Progress) -> Tried:
    """Train by its settings; hopeless, it is ended early, and where the loss is no number it has failed."""
    import optuna

    settings, history, began = ready.space.suggested(trial), list["Epoch"](), time.perf_counter()
    state: Literal["complete", "pruned", "failed"] = "complete"
    kept, problem = None, ""

    def log(record: Epoch) -> None:
        history.append(record)
        assert record.val_loss is not None, "a search has pictures that select"
        trial.report(record.val_loss, record.epoch)
        if record.epoch < ready.what.recipe.epochs and trial.should_prune():
            raise optuna.TrialPruned

    try:
        kept = ready.train(settings, log, progress).kept_epoch
    except optuna.TrialPruned:
        state = "pruned"
    except TrainingError as error:
        state, problem = "failed", str(error)
    at = next((record for record in history if record.epoch == kept), history[-1] if history else None)
    if state == "failed":
        at = None
    result = Tried(
        number,
        settings,
        state,
        None if at is None else at.val_loss,
        None if at is None else at.val_figure,
        history[-1].epoch if history else 0,
        time.perf_counter() - began,
        problem,
    )
    trial.set_user_attr(RESULT, asdict(result))
    _tell(study, trial.number, asdict(result))
    return result


@dataclass(frozen=True)
class _OfTrial:
    """Shows the steps of a trial; what it says besides is not worth a line each."""

    progress: Progress
    name: str

    def say(self, text: str) -> None: ...

    def track(self, items: Iterable[T], total: int, what: str) -> Iterable[T]:
        return items

    def step(self, step: int, total: int, figures: str) -> None:
        self.progress.step(step, total, f"{self.name}  {figures}")


@dataclass(frozen=True)
class _Clock:
    """A budget for the whole search. `before_s`: of trials that an earlier process made; `setup_s`: to get ready."""

    budget_s: float
    started: float
    before_s: float = 0.0
    setup_s: float = 0.0
    estimated_s: float = 0.0

    @staticmethod
    def of(ready: Rehearsal, tried: Sequence[Tried], started: float) -> _Clock:
        """Raises ConfigError where the budget does not do for one trial and the training of the best settings."""
        minutes = ready.begun.wanted.request.options.minutes
        if minutes is None:
            return _Clock(math.inf, started)
        estimated_s = 0.0 if tried else ready.estimated_s()
        setup_s = time.perf_counter() - started
        found = _Clock(60 * minutes, started, sum(t.seconds for t in tried), setup_s, estimated_s)
        if not tried and not found.allows([]):
            needed = math.ceil((found.rest_s + estimated_s + setup_s) / 6) / 10
            raise ConfigError(
                f"minutes = {minutes:g}: too short for one trial and the training of the best settings, of about "
                f"{estimated_s:.0f} s each and {setup_s + REPORT_S:.0f} s to read and to report; "
                f"give {needed:g} or more, or fewer epochs (--epochs N)"
            )
        return found

    @property
    def rest_s(self) -> float:
        """What is needed when the trials are over: the pictures once more, the best settings, the report."""
        return self.setup_s + self.estimated_s + REPORT_S

    def allows(self, tried: Sequence[Tried]) -> bool:
        """Whether another whole trial would leave time for the training of the best settings."""
        whole_s = max((t.seconds for t in tried if t.state == "complete"), default=self.estimated_s)
        spent_s = self.before_s + time.perf_counter() - self.started
        return spent_s + 2 * whole_s + self.setup_s + REPORT_S <= self.budget_s


def _sentence(result: Tried, of: str, figure: str, is_best: bool) -> str:
    """A trial in a line."""
    text = f"trial {result.number:2d}{of}"
    if result.loss is not None and result.figure is not None:
        text += f"  val loss {result.loss:.4f}  val {figure.replace('_', ' ')} {written(result.figure, figure)}"
    text += f"  {result.seconds:.1f} s  {described(result.settings)}"
    if result.state == "pruned":
        text += f"  ended after epoch {result.epochs}: hopeless"
    if result.state == "failed":
        text += f"  failed: {result.error}"
    return text + ("  the best so far" if is_best else "")
