"""The main job: from a data set to a run folder. It reads downward; each step is a function of its own room.

Comes in: where the pictures are, and what to change of the defaults; goes out: a Run, evaluated and reported.
Must not know the terminal.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, replace
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.data.dataset import Dataset
from sightline.data.packs.cache import Cache
from sightline.data.reading.scan import Survey, survey
from sightline.errors import ConfigError, RunError, WeightsError
from sightline.machine import num_cores
from sightline.memory import keep_freed_memory
from sightline.run import Run, is_finished
from sightline.training import prepare
from sightline.training.options import Options, Request
from sightline.training.planning.plan import Plan
from sightline.training.progress import Progress, Silent
from sightline.training.repeatable import same_bits, threads_restored
from sightline.training.resolve import check
from sightline.training.resuming import unfinished
from sightline.training.resuming.unfinished import Unfinished
from sightline.training.together import same
from sightline.training.together.processes import Processes, joined, num_local, num_started

if TYPE_CHECKING:
    from sightline.data.batches import Batches
    from sightline.models import Network
    from sightline.report import Epoch
    from sightline.training.prepare import Table
    from sightline.training.resolve import Resolved
    from sightline.training.trained import Origin, Trained
    from sightline.training.writer import MetricsLog


def train(
    data: str | Path | Dataset,
    settings: Mapping[str, Any] | None = None,  # Any: recipe fields of several types
    options: Options | None = None,
    progress: Progress | None = None,
) -> Run:
    """Train a network on labelled pictures and leave a run folder.

    `settings`: fields of the Recipe, and options of the network as `model.name`. Raises DataError,
    BadPicturesError, ConfigError, WeightsError or TrainingError; the user's files are never touched. A training that
    was killed, or stopped by Ctrl-C, goes on with `resume`. Processes that torchrun started train together.
    """
    started, options = time.perf_counter(), _started_with(options or Options())
    check(settings or {})
    request = Request.of(data, settings or {}, options)
    with joined() as processes:
        begin = unfinished.begin_or_reopen if processes.is_restarted else unfinished.begin
        same.check_asked(processes, request)
        progress = progress if progress is not None and processes.rank == 0 else Silent()
        out = options.out
        if processes.is_restarted and out and processes.first(lambda: is_finished(out)):
            return processes.first(lambda: Run.open(out))  # killed after the last of it was written
        work = processes.first(lambda: begin(request, prepare.name_of(data)))
        with work if processes.rank == 0 else nullcontext(), same_bits(options.deterministic):
            progress.say(f"Run: {work.run_path}")
            return _train(work, data, settings or {}, options, progress, started, processes)


def resume(
    run: str | Path,
    data: str | Path | Dataset | None = None,
    finish: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Go on with a training that was killed or stopped; on the same machine its weights become the very same bits.

    `data`: the pictures, where they lay in memory, or lie elsewhere now. `finish`: no further step; what was learned
    is tested and reported. A finished run is left as it is. Raises RunError where there is none, or another process
    trains it, DataError where its pictures have changed, and what `train` raises.
    """
    started, path = time.perf_counter(), Path(run)
    with joined() as processes:
        progress = progress if progress is not None and processes.rank == 0 else Silent()
        if processes.first(lambda: is_finished(path)):
            progress.say(f"{path} is finished; there is nothing left to do")
            return processes.first(lambda: Run.open(path))
        work = processes.first(lambda: unfinished.reopen(path))
        with work if processes.rank == 0 else nullcontext():
            request = work.request
            if data is None and request.data is None:
                raise RunError(
                    f"{path} was trained on data in memory; go on with sightline.resume({str(path)!r}, data)"
                )
            options = replace(request.options, num_processes=processes.size)
            where = request.data or "" if data is None else data
            with same_bits(options.deterministic):
                return _train(work, where, request.settings, options, progress, started, processes, finish)


def _started_with(options: Options) -> Options:
    """The options with the number of processes that were started. Raises ConfigError where another was asked for."""
    num = num_started()
    if options.num_processes not in (1, num):
        raise ConfigError(
            f"nproc = {options.num_processes}: {num} {'was' if num == 1 else 'were'} started; start that many by "
            f"`sightline train --nproc {options.num_processes}` or torchrun"
        )
    return replace(options, num_processes=num)


def _train(
    work: Unfinished,
    data: str | Path | Dataset,
    settings: Mapping[str, Any],
    options: Options,
    progress: Progress,
    started: float,
    processes: Processes,
    finish_now: bool = False,
) -> Run:
    """From the data to the finished run, in its folder; what was done before is not done again."""
    keep_freed_memory()
    folder, cache = work.run_path, Cache.default(progress.say) if options.cache else None
    if options.num_workers is None and processes.size > 1:
        options = replace(options, num_workers=max(1, num_cores() // num_local()))
    table = prepare.open_table(data, options.fold, options.exclude, progress)
    same.check_data(processes, table)
    look = survey(table.dataset, table.parts.rows("train"), cache)

    # From here on torch is needed; what went wrong before, went wrong quickly.
    from sightline.metrics import MAIN
    from sightline.training import finish, known, settle, writer
    from sightline.training.together import synchronised

    is_first = processes.rank == 0
    settled = processes.first(lambda: settle.unfrozen(work, processes.size))
    network, what, origin = network_for({**settings, **settled}, look, table, options, progress)
    processes.first(lambda: work.settle(unfreeze=what.recipe.unfreeze))
    if what.recipe.prune and not options.makes_steps(what.recipe.epochs):
        raise ConfigError("prune: what is left has to be trained; give epochs (--epochs 5)")
    if what.recipe.teacher and not options.makes_steps(what.recipe.epochs):
        raise ConfigError("teacher: with epochs = 0 the head alone is fitted, to the labels; give epochs (--epochs 5)")
    synchronised.check(what.recipe, processes.size)
    if not options.makes_steps(what.recipe.epochs):
        table = prepare.with_selection_in_train(table)
    processes.first(lambda: writer.check_space(folder, network, len(table.dataset)))
    with processes.one_before_others() if cache is not None else nullcontext():
        table = prepare.decode(table, what.preprocessing, options.skip_bad, options.num_workers, progress, cache)
    same.check_data(processes, table)
    table = known.checked(table, what.recipe, progress)
    processes.first(lambda: writer.keep_split(folder, table.dataset, table.parts, table.records))
    with writer.MetricsLog(folder, options.tensorboard, MAIN[table.dataset.task]) if is_first else nullcontext() as log:
        trained = _fit(work, network, what, table, options, cache, progress, log, started, processes, not finish_now)

    def finished() -> Run:
        run = finish.finish(folder, replace(trained, origin=origin), table, options, progress, started)
        work.finish()
        return run

    return processes.first(finished)


def network_for(
    settings: dict[str, Any], look: Survey, table: Table, options: Options, progress: Progress
) -> tuple[Network, Resolved, Origin]:
    """Settle what will be done, say it, and build the network with what it starts from."""
    import torch

    from sightline import models
    from sightline.training import muon
    from sightline.training.pruning.channels import check_installed
    from sightline.training.resolve import resolve, without_head, without_top
    from sightline.training.trained import Origin
    from sightline.training.transfer import kept

    wanted = settings.get("weights")
    weights = None if wanted in (None, "none") else models.open_weights(str(wanted), settings.get("model"))
    num_train, num_classes = len(table.parts.rows("train")), len(table.dataset.classes)

    def resolved(settings: Mapping[str, Any], suits_muon: bool = True) -> Resolved:
        return resolve(settings, look, num_train, weights, table.dataset.task, options.minutes, suits_muon)

    def build(settings: dict[str, Any]) -> tuple[Network, Resolved, Origin]:
        what = resolved(settings)
        if what.recipe.prune:
            check_installed()
        torch.manual_seed(options.seed)
        frame = what.preprocessing
        size, model_options = (frame.height, frame.width), dict(what.model_options)
        network = models.build(what.recipe.model, num_classes, frame.channels, size, model_options)
        if weights is None and not muon.suits(network):
            what = resolved(settings, suits_muon=False)
        if what.recipe.optimizer == "muon":
            muon.check(network)
        for side in sorted(set(what.recipe.sizes)):
            if not (why := network.obstacle(side)):
                continue
            if "sizes" in settings:
                raise ConfigError(f"sizes = {side}: {why}; give others, or train at one size")
            return build({**settings, "sizes": ()})
        if weights is None:
            return network, what, Origin("none, from scratch", None)
        if weights.is_pruned:
            network.cut({name: tensor.shape for name, tensor in weights.state_dict.items()})
        sentence = models.load_into(network, weights).sentence()
        trains = options.makes_steps(what.recipe.epochs) or not network.has_linear_head
        trains_top = trains and what.recipe.unfreeze == "top"
        if trains_top and (reason := kept.obstacle(network, num_train, options.num_processes)):
            what = resolved(without_top(settings, reason))
        what = what if network.has_linear_head else without_head(what, settings)
        return network, what, Origin(sentence, weights.licence)

    try:
        network, what, origin = build(settings)
    except (ConfigError, WeightsError):
        if weights is None or "size" in settings or "input_size" not in weights.config:
            raise
        network, what, origin = build(settings | {"size": weights.config["input_size"][1]})  # it bears no other size
    num_parameters = sum(p.numel() for p in network.parameters())
    progress.say(f"Chosen: {what.why}.")
    progress.say(what.sentence(options.makes_steps(what.recipe.epochs)))
    progress.say(
        f"Network: {network.architecture}, {num_parameters / 1e6:.2f} M parameters; weights: {origin.sentence}"
    )
    return network, what, origin


@threads_restored()
def _fit(
    work: Unfinished,
    network: Network,
    what: Resolved,
    table: Table,
    options: Options,
    cache: Cache | None,
    progress: Progress,
    log: MetricsLog | None,
    started: float,
    processes: Processes,
    goes_on: bool,
) -> Trained:
    """Measure the plan, fit the head where weights are pretrained, fix the number of steps, train."""
    import torch

    from sightline.engines.torch import TorchEngine, default_device
    from sightline.models.counting import Size
    from sightline.training import calibrate, finish, loop, objectives, settle, unknown
    from sightline.training.begin import begin, reads_stages
    from sightline.training.micro import has_batch_norm
    from sightline.training.planning import trials
    from sightline.training.resuming.checkpoint import Checkpoints, NoCheckpoints
    from sightline.training.teacher import Teacher
    from sightline.training.together import synchronised
    from sightline.training.trained import Trained
    from sightline.training.transfer import head, kept

    recipe, frame, device = what.recipe, what.preprocessing, default_device()
    batches = batches_of(what, table, options, (processes.rank, processes.size))
    selection = prepare.selection_of(table, frame)
    objective = objectives.build(table.dataset.labels[batches.rows], network.num_classes, recipe)
    teacher = Teacher.for_recipe(recipe, table.dataset)

    with_head = recipe.weights is not None and network.has_linear_head
    checkpoints = Checkpoints(work.checkpoints_path, options.checkpoint_s, progress.say)
    if recipe.prune:
        whole = Size.of(network)
        asked = work, network, batches, recipe, objective, checkpoints.exist
        network.cut(processes.first(lambda: settle.pruned(*asked)))
        progress.say(f"Pruned: {Size.of(network).beside(whole)}")
    else:
        begin(network, batches, recipe, objective)
    share, makes_steps = batches.batch_size // processes.size, options.makes_steps(recipe.epochs)
    if share < 2 <= len(batches.rows) and makes_steps and not with_head and has_batch_norm(network):
        raise ConfigError(
            f"batches of {batches.batch_size} for {processes.size} process{'es' * (processes.size > 1)}: batch "
            "normalisation takes two pictures at least; make them larger (--set batch_size=N)"
        )

    if different := processes.first(lambda: settle.changes(work, processes.size)):
        progress.say(f"This is not where the training began, so its last bits may differ ({different})")
    chosen = processes.first(lambda: settle.settled_plan(work, network, batches, recipe, objective, options))
    progress.say(f"Plan: {chosen.sentence()}")
    if processes.size > 1:
        progress.say(_shared_sentence(network, batches, with_head or recipe.sync_batchnorm))
        if recipe.sync_batchnorm:
            synchronised.synchronise(network)
    most = torch.get_num_threads()
    torch.set_num_threads(chosen.num_threads)
    engine = TorchEngine.build(network, finish.run_config(network, table, frame, chosen), device)

    def fitted_head() -> tuple[float, dict[str, int]]:
        if checkpoints.exist:
            return nan, work.settled["stages"]
        hashes = table.records["hash"]
        fitted = head.fit_head(engine, batches, objective, progress, hashes, cache, reads_stages(recipe))
        cross_fitted = calibrate.calibrated(objective, (), *fitted.held_out)
        if not options.makes_steps(recipe.epochs):
            unknown.keep_frozen(work.folder, table, fitted.last)
        work.settle(features=fitted.features, stages=fitted.stages, cross_fitted=asdict(cross_fitted))
        return fitted.loss, fitted.stages

    def settled_steps() -> dict[str, Any]:
        answered_last = len(table.parts.rows("calibration")) + len(table.parts.rows("test"))
        counts = len(selection.labels), answered_last
        return settle.settled_steps(work, recipe, batches, *counts, options, chosen, started, progress, timed)

    def timed(chosen: Plan) -> Plan:
        return chosen if upper is None else trials.timed(chosen, network, batches, recipe, objective, upper)

    head_loss, stages = processes.first(fitted_head) if with_head else (nan, {})
    if network.read_channels != stages:
        network.read_stages(stages)  # the weights come from the checkpoint, or from the first process
    upper = None
    if recipe.unfreeze == "top" and options.makes_steps(recipe.epochs):
        batches, upper = kept.last_stages(engine, batches, recipe.augment_if_safe, work.folder / "kept", progress)
    settled = processes.first(settled_steps)
    schedule = settle.schedule_of(work, settled, started, processes.rank == 0, batches.cost)
    threads = settle.threads_of(work, settled, options, chosen, most, progress.say)
    outcome = loop.fit(
        engine, batches, selection, recipe, objective, chosen, schedule, progress, log or _unlogged,
        checkpoints if processes.rank == 0 else NoCheckpoints(), with_head, head_loss, goes_on, processes,
        settle.cuts_of(work, settled, options), upper, teacher, threads,
    )  # fmt: skip

    tta = settle.tta_of(recipe, outcome.augmentations)
    engine = replace(engine, config=replace(engine.config, tta=tta, num_threads=threads.staying(outcome.num_steps)))
    cross_fitted = None if outcome.num_steps else settled.get("cross_fitted")  # of a head that steps would have changed
    chose_weights = outcome.num_steps > 0 and outcome.kept_epoch is not None
    unseen = calibrate.Unseen.of(engine, table, frame, calibrate.parts_for(recipe, chose_weights))
    calibration = calibrate.calibration_of(objective, unseen, cross_fitted)
    if calibration.is_none:
        progress.say(f"Calibration: {calibration.sentence}")
    is_first = processes.rank == 0
    strange = unknown.found(engine, table, frame, unseen, work.folder, options.seed) if is_first else unknown.NONE
    config = replace(engine.config, decision=calibration.decision, stages=network.read_channels)
    num_steps, computed = schedule.num_steps, settled.get("features", "")
    answering, num_epochs = replace(engine, config=config), num_steps / len(batches)
    return Trained(answering, what, chosen, outcome, num_steps, num_epochs, computed, calibration, strange)


def _unlogged(record: Epoch) -> None:
    """Another process writes it down."""


def _shared_sentence(network: Network, batches: Batches, same_statistics: bool) -> str:
    """How the batches are shared, and what each process has for itself."""
    from sightline.training.micro import has_batch_norm

    size = batches.part[1]
    text = f"{size} processes: each batch of {batches.batch_size} is shared among them"
    if has_batch_norm(network) and not same_statistics:
        text += "; batch normalisation is by each one's own share, and the statistics of the first are kept"
    return text


def batches_of(what: Resolved, table: Table, options: Options, part: tuple[int, int] = (0, 1)) -> Batches:
    """`part`: rank and number of the processes. Raises ConfigError where a batch is too small to be shared."""
    from sightline.data.batches import Batches
    from sightline.engines.torch import default_device

    rows = table.parts.rows("train")
    batch_size = min(what.recipe.batch_size, len(rows))
    if batch_size < part[1]:
        raise ConfigError(
            f"batches of {batch_size} cannot be shared by {part[1]} processes; "
            "start fewer, or make the batches larger (--set batch_size=N)"
        )
    return Batches(
        dataset=table.dataset,
        rows=rows,
        canvases=table.canvases,
        preprocessing=what.preprocessing,
        augmentations=what.recipe.augment,
        batch_size=batch_size,
        seed=options.seed,
        num_workers=options.num_workers,
        shares_cores=default_device().type == "cpu",
        is_balanced=what.recipe.balance == "sampling",
        sizes=what.recipe.sizes,
        part=part,
    )
