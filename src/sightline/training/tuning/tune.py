"""A search for better settings. Comes in: where the pictures are, and what stays fixed; goes out: a Tuned.

Trials are judged by the selection split alone. The pictures that test are not opened before the search is over; they
are answered once, by the training of the best settings. Must not know the terminal.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any  # Any: recipe fields of several types

from sightline import config
from sightline.data.dataset import Dataset
from sightline.errors import ConfigError, RunError, TrainingError
from sightline.metrics import MAIN
from sightline.run import UNFINISHED, Run
from sightline.training import prepare, train
from sightline.training.options import Options, Request
from sightline.training.progress import Progress, Silent
from sightline.training.resolve import check
from sightline.training.together.processes import num_started
from sightline.training.tuning import search
from sightline.training.tuning.search import RECIPE, Search, Tried, Wanted, best_of, tried_of
from sightline.training.tuning.space import check_names

if TYPE_CHECKING:
    from optuna import Study

    from sightline.training.tuning.rehearsal import Rehearsal

NUM_TRIALS = 20
MIN_FOR_IMPORTANCE = 10  # whole trials; with fewer, what mattered is chance
# The better half against all: the better tenth, as is usual, is two of twenty trials. Of a parabola in one field and
# next to nothing in another, a tenth found 63 to 100 % for the first in 20 trials, a half 95 to 99 %.
BETTER_SHARE = 0.5


@dataclass(frozen=True)
class Tuned:
    """A finished search. `trials` in order; `run`: trained with the best settings, and tested;
    `importances`: field -> its share of what made trials differ, the largest first; empty where there are too few."""

    path: Path
    trials: tuple[Tried, ...]
    run: Run
    importances: Mapping[str, float]
    figure: str

    @property
    def best(self) -> Tried:
        """The trial of the least selection loss."""
        found = best_of(self.trials)
        assert found is not None, "a search without a whole trial ends in an error"
        return found


def tune(
    data: str | Path | Dataset,
    settings: Mapping[str, Any] | None = None,  # Any: recipe fields of several types
    options: Options | None = None,
    num_trials: int | None = None,
    fields: Sequence[str] = (),
    progress: Progress | None = None,
) -> Tuned:
    """Search settings that train better on these pictures than the defaults, and train a run with the best.

    `settings` stay fixed, `fields` of the recipe are searched (the usual ones where none is named). `options.minutes`
    is a budget for all of it, `options.out` the folder of the search; 20 trials where neither they nor `num_trials` are
    given. A search that was killed, or stopped by Ctrl-C, goes on with `resume_tune`. Raises ConfigError, DataError,
    MissingExtraError, TrainingError where no trial came through, and what `train` raises.
    """
    started, options, settings = time.perf_counter(), options or Options(), dict(settings or {})
    search.optuna_or_error()
    check(settings)
    check_names(fields, settings)
    if num_trials is not None and num_trials < 1:
        raise ConfigError(f"trials = {num_trials}: must be at least 1")
    if num_started() > 1 or options.num_processes > 1:
        raise ConfigError("a search runs in one process; start it without torchrun and --nproc")
    if num_trials is None and options.minutes is None:
        num_trials = NUM_TRIALS
    wanted = Wanted(Request.of(data, settings, options), num_trials, tuple(fields))
    with search.begin(wanted, prepare.name_of(data)) as begun:
        return _tune(begun, data, progress or Silent(), started)


def resume_tune(folder: str | Path, data: Dataset | None = None, progress: Progress | None = None) -> Tuned:
    """Go on with a search that was killed or stopped; a trial that was broken off is made anew, with the same settings.

    `data`: the pictures, where they lay in memory. A finished search is left as it is. Raises RunError where there is
    none, or another process goes on with it, DataError where its pictures have changed, and what `tune` raises.
    """
    started = time.perf_counter()
    search.optuna_or_error()
    with search.reopen(Path(folder)) as begun:
        where = data or begun.wanted.request.data
        if where is None:
            raise RunError(
                f"{folder} searches on data in memory; go on with sightline.resume_tune({str(folder)!r}, data)"
            )
        return _tune(begun, where, progress or Silent(), started)


def _tune(begun: Search, data: str | Path | Dataset, progress: Progress, started: float) -> Tuned:
    """The trials, the best of them, its training; what was done before is not done again."""
    if begun.is_finished:
        progress.say(f"{begun.path} is finished; there is nothing left to do")
    else:
        progress.say(f"Search: {begun.path}")
    with search.opened(begun) as study:
        if not begun.is_over:
            from sightline.training.tuning import rehearsal, trying

            ready = rehearsal.rehearsal_of(begun, data, progress)
            _write_best(begun, ready, trying.try_all(begun, study, ready, progress, started))
            del ready  # and with it the pictures
        tried, importances = tried_of(study), _importances(study)
    best = best_of(tried)
    if best is None:
        raise RunError(f"{begun.path}: no trial of its study came to an end; restore it or search again")
    run = Run.open(begun.best_path) if begun.is_finished else _trained(begun, best, len(tried), data, progress)
    return Tuned(begun.path, tuple(tried), run, importances, MAIN[run.config.task])


def _write_best(begun: Search, ready: Rehearsal, tried: Sequence[Tried]) -> None:
    """recipe.toml, which ends the search. Raises TrainingError where there is no best."""
    from sightline.training import writer

    best = best_of(tried)
    if best is None:
        raise TrainingError(
            f"none of {len(tried)} trials came to an end; the first: {tried[0].error}"
            if tried
            else "the minutes were over before a trial came to an end; give more"
        )
    recipe = config.replace(ready.what.recipe, dict(best.settings), "recipe")
    made_by = f"{begun.wanted.request.options.command}\nThe best of {len(tried)} settings, trial {best.number}"
    writer.write_recipe(begun.path, recipe, ready.what.model_options, made_by)


def _trained(begun: Search, best: Tried, num_tried: int, data: str | Path | Dataset, progress: Progress) -> Run:
    """The training of the best settings, as `train` does it: the only one that sees the pictures that test."""
    request, path = begun.wanted.request, begun.best_path
    progress.say(f"Best: trial {best.number} of {num_tried}; trained once more, and tested")
    if (path / UNFINISHED).is_dir():
        return train.resume(path, data if isinstance(data, Dataset) else None, progress=progress)
    settings = {**request.settings, **best.settings}
    plan = begun.plan(config.read_toml(begun.path / RECIPE)["batch_size"])
    note = (
        f"These settings are the best of {num_tried} that were tried, by the selection pictures. So the figures on "
        "those are optimistic; those on the test pictures are not, as no trial has seen them."
    )
    options = replace(request.options, minutes=None, out=path, plan=None if plan is None else plan.name, note=note)
    return train.train(data, settings, options, progress)


def _importances(study: Study) -> dict[str, float]:
    """field -> share of the difference between trials, by PED-ANOVA (Watanabe et al., 2023)."""
    import optuna
    from optuna.trial import TrialState

    whole = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(whole) < MIN_FOR_IMPORTANCE:
        return {}
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=BETTER_SHARE)
    return optuna.importance.get_param_importances(study, evaluator=evaluator)
