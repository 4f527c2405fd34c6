"""What is settled before the first step, and kept, so that a training that goes on has the same.

Comes in: a training as it was asked for; goes out: its Plan, and its Schedule. Must not train or evaluate.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from sightline import __version__
from sightline.data.batches import Batches
from sightline.engines.torch import default_device, flushing_denormals
from sightline.engines.views import num_views
from sightline.errors import RunError
from sightline.machine import num_cores
from sightline.models import Network
from sightline.training import writer
from sightline.training.begin import begin
from sightline.training.micro import Cut, Cuts
from sightline.training.objectives import Objective
from sightline.training.options import Options
from sightline.training.planning import plans, trials
from sightline.training.planning.plan import Plan, named
from sightline.training.planning.threads import Change, Threads
from sightline.training.progress import Progress
from sightline.training.recipe import Recipe
from sightline.training.resuming.unfinished import Unfinished
from sightline.training.schedule import MIN_STEPS, Budget, Correction, Schedule, mean_cost


def settled_plan(
    work: Unfinished, network: Network, batches: Batches, recipe: Recipe, objective: Objective, options: Options
) -> Plan:
    """The plan that the training began with, or `plan_for` it."""
    if "plan" not in work.settled:
        work.settle(plan=asdict(plan_for(network, batches, recipe, objective, options)))
    return Plan(**work.settled["plan"])


def pruned(
    work: Unfinished, network: Network, batches: Batches, recipe: Recipe, objective: Objective, has_checkpoint: bool
) -> dict[str, list[int]]:
    """The shapes of the pruned network's weights, as the training began: they hang on the last bits of what channels
    are worth. Without a checkpoint to take its weights from, the network is pruned here."""
    if not has_checkpoint:
        begin(network, batches, recipe, objective)
        work.settle(shapes=network.shapes())
    return dict(work.settled["shapes"])


def unfrozen(work: Unfinished, num_processes: int) -> dict[str, str]:
    """The setting of what is fine-tuned, as the training began. Raises RunError where these processes cannot do it."""
    if work.settled.get("unfreeze") == "top" and num_processes > 1:
        raise RunError(f"{work.run_path}: its last stages train by themselves, in one process; go on with one")
    return {"unfreeze": work.settled["unfreeze"]} if "unfreeze" in work.settled else {}


def plan_for(
    network: Network,
    batches: Batches,
    recipe: Recipe,
    objective: Objective,
    options: Options,
    is_new: bool = False,
) -> Plan:
    """The plan that was asked for, or was measured for such a training before (unless `is_new`), or is measured now.

    Where a budget of time hangs on it, the chosen one is timed in any case. One that was remembered and takes fewer
    threads competes with all of them again: it may be from a busy hour. Where the head alone is fitted there is no step
    to be timed, and the default is taken.
    """
    network.to(default_device())
    with flushing_denormals():
        chosen = _known(network, batches, recipe, options, is_new)
        if not options.makes_steps(recipe.epochs):
            return chosen or trials.default_plan()
        if chosen is None:
            num_steps = recipe.num_steps(len(batches))
            budget_s = None if options.minutes is None else 60 * options.minutes
            chosen = trials.measure(network, batches, recipe, objective, num_steps, budget_s)
            if options.cache:
                plans.remember(_facts(network, batches, recipe), chosen)
        elif (rivals := _of_more_threads(chosen, options)) or options.minutes is not None:
            chosen = trials.timed(chosen, network, batches, recipe, objective, rivals=rivals)
            if rivals:
                plans.remember(_facts(network, batches, recipe), chosen)
    return chosen


def _known(network: Network, batches: Batches, recipe: Recipe, options: Options, is_new: bool) -> Plan | None:
    asked = "off" if options.plan is None and options.deterministic else options.plan
    if asked is not None:
        default = trials.default_plan()
        return default if asked == "off" else named(asked, default)
    return plans.recalled(_facts(network, batches, recipe)) if options.cache and not is_new else None


def _of_more_threads(recalled: Plan, options: Options) -> list[Plan]:
    """What a plan that was not asked for competes with again."""
    most = trials.default_plan().num_threads
    return [replace(recalled, num_threads=most)] if options.plan is None and recalled.num_threads < most else []


def _facts(network: Network, batches: Batches, recipe: Recipe) -> dict[str, object]:
    """All that the fastest plan may hang on."""
    frame = batches.preprocessing
    return writer.machine() | {
        "sightline": __version__, "cores": num_cores(), "threads": trials.default_plan().num_threads,
        "network": network.architecture, "options": dict(network.options), "optimizer": recipe.optimizer,
        "parameters": sum(p.numel() for p in network.parameters()),
        "input": (batches.batch_size // batches.part[1], frame.channels, frame.height, frame.width),
        "classes": network.num_classes,
    }  # fmt: skip


def changes(work: Unfinished, num_processes: int) -> str:
    """What is different from when the training began, where that may change the last bits; empty where nothing is."""
    now = writer.machine() | {"Sightline": __version__, "Processes": str(num_processes)}
    if "machine" not in work.settled:
        work.settle(machine=now)
    then = work.settled["machine"]
    return "; ".join(
        f"{key}: {then.get(key, 'none')}, now {now.get(key, 'none')}"
        for key in now | then
        if then.get(key) != now.get(key)
    )


def settled_steps(
    work: Unfinished,
    recipe: Recipe,
    batches: Batches,
    num_selection: int,
    num_test: int,
    options: Options,
    chosen: Plan,
    started: float,
    progress: Progress,
    timed: Callable[[Plan], Plan] = lambda chosen: chosen,
) -> dict[str, Any]:
    """All that is settled by now; among it `num_steps`, of the recipe's epochs or as many as the `budget` allows.

    `started`: on the clock, when the command began. `timed`: the plan, with what a step of it takes, for a budget.
    """
    if "num_steps" not in work.settled:
        budget, num_steps = None, recipe.num_steps(len(batches))
        if options.minutes is not None:
            chosen = timed(chosen)
            budget = _budget(60 * options.minutes, batches, num_selection, num_test, chosen)
            budget.num_views = views_tested(recipe, batches.augmentations)
            num_steps = _allowed(budget, recipe, batches, chosen, time.perf_counter() - started)
            epochs = num_steps / len(batches)
            progress.say(f"Budget: {num_steps:,} steps, {epochs:.1f} epochs, in {options.minutes:g} minutes")
        work.settle(num_steps=num_steps, budget=None if budget is None else asdict(budget))
    return dict(work.settled)


def tta_of(recipe: Recipe, augmentations: Sequence[str]) -> tuple[str, ...]:
    """The views that the run averages over: a mirror image counts only where training sees mirror images."""
    return tuple(name for name in recipe.tta if name != "flip" or "flip" in augmentations)


def views_tested(recipe: Recipe, augmentations: Sequence[str]) -> int:
    """How often the test answers a picture."""
    return num_views(tta_of(recipe, augmentations))


def schedule_of(
    work: Unfinished, settled: Mapping[str, Any], started: float, is_first: bool, cost: Callable[[float], float]
) -> Schedule:
    """With the corrections that were made before. Of several processes the first makes new ones, the others follow."""
    return Schedule(
        settled["num_steps"],
        [Correction(**each) for each in settled.get("corrections", [])],
        Budget(**settled["budget"]) if settled["budget"] and is_first else None,
        keep=lambda corrections: work.settle(corrections=[asdict(each) for each in corrections]),
        began=started,
        cost=cost,
    )


def cuts_of(work: Unfinished, settled: Mapping[str, Any], options: Options) -> Cuts:
    """With those that were made before; none are made where several processes train, or bits are to be the same."""
    if options.deterministic:
        return Cuts(forbidden="How much of it is free must not change the bits (--deterministic)")
    if options.num_processes > 1:
        return Cuts(forbidden="Several processes cannot agree on smaller parts once one of them has failed")
    return Cuts(
        [Cut(**each) for each in settled.get("cuts", [])],
        keep=lambda cuts: work.settle(cuts=[asdict(each) for each in cuts]),
    )


def threads_of(
    work: Unfinished,
    settled: Mapping[str, Any],
    options: Options,
    chosen: Plan,
    most: int,
    say: Callable[[str], object],
) -> Threads:
    """With the changes that were made before; `most`: threads that there are.

    None are made where the plan was asked for, or bits are to be the same, several processes train, a GPU does the
    work, or code was compiled for so many.
    """
    is_settled = options.plan is not None or options.deterministic or options.num_processes > 1
    others = {most, max(1, most // 2), 1}
    return Threads(
        chosen.num_threads,
        () if is_settled or chosen.compiled or default_device().type != "cpu" or len(others) < 2 else sorted(others),
        [Change(**each) for each in settled.get("threads", [])],
        keep=lambda changes: work.settle(threads=[asdict(each) for each in changes]),
        say=say,
    )


def _budget(seconds: float, batches: Batches, num_selection: int, num_test: int, chosen: Plan) -> Budget:
    answer_s = chosen.answer_s(batches.batch_size) * batches.part[1]
    return Budget(seconds, len(batches), num_selection, num_test, answer_s, batches.part[1])


def _allowed(budget: Budget, recipe: Recipe, batches: Batches, chosen: Plan, spent_s: float) -> int:
    """Steps in what is left of the budget."""
    step_s = (recipe.passes * chosen.step_s + chosen.batch_s) * mean_cost(batches.cost, 0.0)
    step_s += budget.epoch_end_s / len(batches)
    return max(MIN_STEPS, int((budget.limit_s - spent_s) / step_s))
