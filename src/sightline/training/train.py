"""The main job: from a data set to a run folder. It reads downward; each step is a function of its own room.

Comes in: where the pictures are, and what to change of the defaults; goes out: a Run, evaluated and reported.
Must not know the terminal.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline.data.dataset import Dataset
from sightline.data.packs.cache import Cache
from sightline.data.reading.scan import Survey, survey
from sightline.data.tasks import Labels
from sightline.errors import ConfigError, WeightsError
from sightline.training import prepare
from sightline.training.progress import Progress, Silent
from sightline.training.resolve import check

if TYPE_CHECKING:
    from sightline.models import Network
    from sightline.run import Run
    from sightline.training.finish import Origin, Trained
    from sightline.training.prepare import Table
    from sightline.training.resolve import Resolved
    from sightline.training.writer import MetricsLog


@dataclass(frozen=True)
class Options:
    """What a training is asked for besides its recipe.

    minutes   a budget for everything; the number of steps is fixed from it before the first one
    out       the run folder; must not exist, or be empty. None: the next free `runs/NAME`
    fold      (i, k): the i-th of k cross-validation splits
    skip_bad  leave out pictures that cannot be read, and say so, rather than stop
    exclude   a list of pictures to leave out, as `sightline check --quarantine` writes it
    num_workers  threads that decode; None: one a core; 0: none, everything happens in the caller's
    cache     keep decoded pictures on the disk for the next training; the results are the same without
    command   how this training was started, for the report
    """

    seed: int = 0
    minutes: float | None = None
    out: Path | None = None
    fold: tuple[int, int] | None = None
    skip_bad: bool = False
    exclude: Path | None = None
    num_workers: int | None = None
    tensorboard: bool = False
    cache: bool = True
    command: str = "sightline.train(...)"

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed = {self.seed}: must lie between 0 and {2**63 - 1}")
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise ConfigError(f"minutes = {self.minutes:g}: must be more than 0; leave it out for no limit")
        if self.num_workers is not None and self.num_workers < 0:
            raise ConfigError(f"workers = {self.num_workers}: must be at least 0; leave it out for all cores")


def train(
    data: str | Path | Dataset,
    settings: Mapping[str, Any] | None = None,  # Any: recipe fields of several types
    options: Options | None = None,
    progress: Progress | None = None,
) -> Run:
    """Train a network on labelled pictures and leave a run folder.

    `settings`: fields of the Recipe, and options of the network as `model.name`. Raises DataError,
    BadPicturesError, ConfigError, WeightsError or TrainingError; the user's files are never touched.
    """
    started, progress, options = time.perf_counter(), progress or Silent(), options or Options()
    settings = dict(settings or {})
    check(settings)
    cache = Cache.default(progress.say) if options.cache else None
    table = prepare.open_table(data, options.fold, options.exclude, progress)
    look = survey(table.dataset, table.parts.rows("train"), cache)

    # From here on torch is needed; what went wrong before, went wrong quickly.
    from sightline.metrics import MAIN
    from sightline.training import finish, writer

    network, what, origin = _network(settings, look, table, options, progress)
    if what.recipe.epochs == 0 and options.minutes is None:
        table = prepare.with_selection_in_train(table)
    with writer.new_folder(options.out, table.name) as folder:
        writer.check_space(folder, network, len(table.dataset))
        table = prepare.decode(table, what.preprocessing, options.skip_bad, options.num_workers, progress, cache)
        with writer.MetricsLog(folder, options.tensorboard, MAIN[table.dataset.task]) as log:
            trained = _fit(network, what, table, options, progress, log, started)
        return finish.finish(folder, replace(trained, origin=origin), table, options, progress, started)


def _network(
    settings: dict[str, Any], look: Survey, table: Table, options: Options, progress: Progress
) -> tuple[Network, Resolved, Origin]:
    """Settle what will be done, say it, and build the network with what it starts from."""
    import torch

    from sightline import models
    from sightline.training.finish import Origin
    from sightline.training.resolve import resolve, without_head

    wanted = settings.get("weights")
    weights = None if wanted in (None, "none") else models.open_weights(str(wanted), settings.get("model"))
    num_train, num_classes = len(table.parts.rows("train")), len(table.dataset.classes)

    def build(settings: dict[str, Any]) -> tuple[Network, Resolved, Origin]:
        what = resolve(settings, look, num_train, weights, table.dataset.task)
        torch.manual_seed(options.seed)
        frame = what.preprocessing
        size, model_options = (frame.height, frame.width), dict(what.model_options)
        network = models.build(what.recipe.model, num_classes, frame.channels, size, model_options)
        if weights is None:
            return network, what, Origin("none, from scratch", None)
        sentence = models.load_into(network, weights).sentence()
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
    progress.say(what.sentence())
    progress.say(
        f"Network: {network.architecture}, {num_parameters / 1e6:.2f} M parameters; weights: {origin.sentence}"
    )
    return network, what, origin


def _fit(
    network: Network,
    what: Resolved,
    table: Table,
    options: Options,
    progress: Progress,
    log: MetricsLog,
    started: float,
) -> Trained:
    """Measure the plan, fit the head where weights are pretrained, fix the number of steps, train."""
    import torch

    from sightline.data.batches import Batches
    from sightline.engines.torch import TorchEngine, default_device
    from sightline.training import finish, loop, objectives, plan, transfer, trials

    recipe, frame, device = what.recipe, what.preprocessing, default_device()
    batches = Batches(
        dataset=table.dataset,
        rows=table.parts.rows("train"),
        canvases=table.canvases,
        preprocessing=frame,
        augmentations=recipe.augment,
        batch_size=min(recipe.batch_size, len(table.parts.rows("train"))),
        seed=options.seed,
        num_workers=options.num_workers,
    )
    selection = prepare.selection_of(table, frame)
    objective = objectives.build(table.dataset.labels[batches.rows], network.num_classes, recipe)
    chosen = trials.measure(network.to(device), batches, recipe, objective)
    progress.say(f"Plan: {chosen.sentence()}")
    engine = TorchEngine.build(network, finish.run_config(network, table, frame, chosen), device)
    is_transfer = recipe.weights is not None and network.has_linear_head
    head_loss = transfer.fit_head(engine, batches, objective, progress) if is_transfer else None
    num_steps = recipe.epochs * len(batches)
    if options.minutes is not None:
        left_s = 60 * options.minutes - (time.perf_counter() - started)
        num_steps = plan.steps_within(
            left_s,
            chosen,
            len(batches),
            len(selection.labels),
            len(table.parts.rows("test")),
            batches.batch_size,
        )
        progress.say(
            f"Budget: {num_steps:,} steps, {num_steps / len(batches):.1f} epochs, in {options.minutes:g} minutes"
        )
    torch.manual_seed(options.seed)  # the trials drew from it, dropout's masks among others
    outcome = loop.fit(engine, batches, selection, recipe, objective, chosen, num_steps, progress, log, head_loss)

    def unseen() -> tuple[NDArray[np.float32], Labels]:
        pictures = prepare.selection_of(table, frame, ("val", "calibration"))
        return engine.answer(pictures.pictures), pictures.labels

    decision = asdict(objective.decision(unseen))
    engine = replace(engine, config=replace(engine.config, decision=decision))
    return finish.Trained(engine, what, chosen, outcome, num_steps, num_steps / len(batches))
