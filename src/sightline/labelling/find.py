"""The main job: from a data set to the list of labels that are probably wrong. It reads downward.

Comes in: where the pictures are, and the network whose features tell them apart; goes out: Suspects. Must not know the
terminal, or write anything but the cache.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any  # Any: recipe fields of several types

import numpy as np
from numpy.typing import NDArray

from sightline.data import open_dataset
from sightline.data.dataset import Dataset
from sightline.data.exclude import without_listed
from sightline.data.packs.cache import Cache
from sightline.data.reading.records import hexadecimal
from sightline.data.reading.scan import Survey, survey
from sightline.data.split import Split, check_classes
from sightline.data.split import folds as divided
from sightline.errors import ConfigError, DataError
from sightline.labelling import confident
from sightline.labelling.accuracy import test_accuracy
from sightline.labelling.suspects import Suspects
from sightline.run import Run
from sightline.training import prepare, train
from sightline.training.options import Options
from sightline.training.prepare import Table
from sightline.training.progress import Progress, Silent
from sightline.training.repeatable import threads_restored
from sightline.training.resolve import check

if TYPE_CHECKING:
    from torch import Tensor

NUM_FOLDS = 5
HAS_SEEN = (
    "The features are of a network that was trained on labels of these pictures: where it learned a wrong one by "
    "heart, the features lean towards it, and it is missed."
)


@threads_restored()
def find_wrong_labels(
    data: str | Path | Dataset,
    settings: Mapping[str, Any] | None = None,
    run: str | Path | None = None,
    num_folds: int = NUM_FOLDS,
    options: Options | None = None,
    progress: Progress | None = None,
) -> Suspects:
    """The pictures whose label is probably wrong, by confident learning (Northcutt et al., 2021, JAIR 70).

    The features are those of pretrained weights, `settings` being as of `train` (`weights`, `model`, `size`, `fit`), or
    of the network of a `run`. Of `options` count `exclude`, `skip_bad`, `num_workers` and `cache`. Raises ConfigError
    where no features are named, DataError for other data than one class a picture or too few pictures of a class, and
    what `train` raises.
    """
    started, progress, options = time.perf_counter(), progress or Silent(), options or Options()
    opened, settings = _features_of(run, settings or {})
    check(settings)
    cache = Cache.default(progress.say) if options.cache else None
    table = _opened(data, num_folds, options, progress)
    look = survey(table.dataset, np.arange(len(table.dataset)), cache)

    from sightline.labelling import held_out

    table, x, widths, facts = _features(table, settings, look, cache, options, progress)
    dataset = table.dataset
    folds = _folds(dataset, num_folds)
    answers = held_out.answered(x, widths, dataset.labels.astype(np.int64), folds, len(dataset.classes))
    progress.say(f"Answers: {answers.sentence}")
    found = suspects_of(table, answers.probabilities)
    found = replace(found, what=facts | {"Answers": answers.sentence}, duration_s=time.perf_counter() - started)
    return found if opened is None else _with_run(found, opened, table)


def suspects_of(table: Table, probabilities: NDArray[np.float64]) -> Suspects:
    """By the answers (N, K) of heads that did not see the labels; those that methods 4 and 3 of the paper both find.

    Ranked by the probability of the label: with a label in fifty planted in photographs of waste, the average precision
    was 0.74, and 0.60 by the margin over the next class.
    """
    dataset, labels = table.dataset, table.dataset.labels.astype(np.int64)
    groups = dataset.group_numbers(np.arange(len(dataset)))
    rows = np.flatnonzero(confident.by_both(probabilities, labels))
    rows = rows[np.argsort(probabilities[rows, labels[rows]], kind="stable")]
    return Suspects(
        dataset=dataset,
        rows=rows,
        suggested=confident.suggested(probabilities, labels)[rows],
        probabilities=probabilities,
        estimate=confident.num_wrong(probabilities, labels, groups),
        notes=table.notes,
    )


def _features_of(run: str | Path | None, settings: Mapping[str, Any]) -> tuple[Run | None, dict[str, Any]]:
    """The run, if any, and the settings for its network or the weights. Raises ConfigError for none or both."""
    wanted = settings.get("weights")
    if run is None:
        if wanted in (None, "none"):
            raise ConfigError(
                "labels: by which features? For photographs give --weights pretrained --model mobilenet_v2 (or weights "
                "that are here); for small pictures train first and give --run RUN"
            )
        return None, {**settings, "epochs": 0}
    if wanted is not None or settings.get("model") is not None:
        raise ConfigError("labels: --run has a network and weights of its own; leave out --weights and --model")
    opened = Run.open(Path(run))
    opened.check_weights()
    return opened, {**settings, "weights": str(run), "fit": opened.config.preprocessing.fit, "epochs": 0}


def _opened(data: str | Path | Dataset, num_folds: int, options: Options, progress: Progress) -> Table:
    """Every picture is answered, whatever split the data set gives. Raises DataError where that cannot be."""
    dataset = data if isinstance(data, Dataset) else open_dataset(data)
    if options.exclude is not None:
        dataset = without_listed(dataset, options.exclude)
    for note in dataset.notes:
        progress.say(note)
    progress.say(f"{dataset.location}: {len(dataset):,} pictures {dataset.described()}")
    if dataset.task != "single":
        kind = "several classes a picture" if dataset.task == "multi" else "numbers"
        raise DataError(f"{dataset.location} has {kind}; wrong labels are found where each picture has one class")
    _folds(dataset, num_folds)
    return Table(dataset, Split(np.full(len(dataset), "train"), "All pictures."), dataset.notes)


def _folds(dataset: Dataset, num_folds: int) -> NDArray[np.intp]:
    """The fold of each row. Raises ConfigError or DataError where a class would be answered without being learned."""
    if num_folds < 2:
        raise ConfigError(f"folds = {num_folds}: a head is fitted on the other folds; give 2 or more")
    check_classes(dataset)
    few = [f"{dataset.classes[k]!r} ({num})" for k, num in enumerate(dataset.counts()) if num < num_folds]
    if few:
        raise DataError(
            f"{dataset.location}: fewer pictures than folds ({num_folds}) in {', '.join(few[:10])}; give fewer "
            "(--folds 2), add pictures, or leave the class out"
        )
    folds = divided(dataset, num_folds)
    for fold in range(1, num_folds + 1):
        learned = np.bincount(dataset.labels[folds != fold].astype(np.intp), minlength=len(dataset.classes))
        if (learned == 0).any():
            name = dataset.classes[int(learned.argmin())]
            raise DataError(
                f"{dataset.location}: the groups of {name!r} all fall into one of {num_folds} folds; give more "
                "(--folds 10), add groups, or leave the class out"
            )
    return folds


def _features(
    table: Table, settings: dict[str, Any], look: Survey, cache: Cache | None, options: Options, progress: Progress
) -> tuple[Table, Tensor, list[int], dict[str, str]]:
    """The table, read; what the network gives for each picture by all of its stages; and that in words."""
    from sightline.engines.torch import TorchEngine, default_device
    from sightline.training import finish
    from sightline.training.planning import trials
    from sightline.training.transfer import head

    network, what, origin = train.network_for(settings, look, table, options, progress)
    if not network.has_linear_head:
        raise ConfigError(f"{network.architecture} has no linear head, so no features for one; take another network")
    table = prepare.decode(table, what.preprocessing, options.skip_bad, options.num_workers, progress, cache)
    config = finish.run_config(network, table, what.preprocessing, trials.default_plan())
    engine = TorchEngine.build(network, config, default_device())
    batches = train.batches_of(what, table, options)
    x, widths, computed = head.of_all_stages(engine, batches, progress, table.records["hash"], cache)
    size = f"{what.preprocessing.width}x{what.preprocessing.height}"
    facts = {"Network": f"{network.architecture}, {size} pixels", "Weights": origin.sentence, "Features": computed}
    return table, x, widths, facts


def _with_run(found: Suspects, run: Run, table: Table) -> Suspects:
    """With what the list means for the run's test accuracy, and a note on features that saw the labels."""
    hashes, classes = hexadecimal(table.records), found.dataset.classes
    first = {value: row for row, value in reversed(list(enumerate(hashes)))}  # of copies the first one's label counts
    labels = {value: classes[int(found.dataset.labels[row])] for value, row in first.items()}
    suggested = dict(zip(found.rows.tolist(), found.suggested.tolist(), strict=True))
    suggestions = {value: classes[suggested[row]] for value, row in first.items() if row in suggested}
    trained = {line["pixels"] for line in run.split() if line["split"] == "train"}
    notes = (*found.notes, HAS_SEEN) if trained.intersection(hashes) else found.notes
    test = test_accuracy(run, labels, suggestions) if run.config.task == "single" else None
    return replace(found, notes=notes, run=str(run.path), test=test)
