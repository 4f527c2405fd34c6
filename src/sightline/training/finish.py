"""From a trained network to a finished run: saved, opened again, tested, reported.

Comes in: a Trained network and its Table; goes out: a Run. What is tested is what was saved, opened as any
later command opens it.
"""

import time
from dataclasses import replace
from pathlib import Path

import torch

from sightline.data.preprocess import Preprocessing
from sightline.data.reading.scan import SMALL_SIDE
from sightline.decision import num_for_sets
from sightline.decision.sets import can_promise
from sightline.evaluation.asking import asked_of
from sightline.evaluation.evaluate import Evaluation, evaluate
from sightline.explaining.reported import reported
from sightline.models import Network
from sightline.predictor import Predictor
from sightline.report import render_card, render_report, words
from sightline.report.results import result_of
from sightline.report.where import where
from sightline.run import CALIBRATION, UNKNOWN, Run, RunConfig, replacing, write_arrays, write_csv, write_json
from sightline.slicing import MIN_PICTURES, find_slices
from sightline.training import prepare, writer
from sightline.training.calibrate import Calibration
from sightline.training.options import Options
from sightline.training.planning.plan import Plan
from sightline.training.prepare import Table
from sightline.training.price import price
from sightline.training.progress import Progress
from sightline.training.recipe import MAX_EPOCHS
from sightline.training.told import told
from sightline.training.trained import Trained

SETS_ERROR = 0.1  # of the sets that the report tells of


def run_config(network: Network, table: Table, preprocessing: Preprocessing, plan: Plan) -> RunConfig:
    """How the run will answer. One picture costs as much as a batch, so the batch of large pictures is small."""
    is_small = max(preprocessing.height, preprocessing.width) <= SMALL_SIDE
    return RunConfig(
        architecture=network.architecture,
        classes=table.dataset.classes,
        preprocessing=preprocessing,
        model_options=network.options,
        batch_size=64 if is_small else 8,
        num_threads=torch.get_num_threads(),
        channels_last=plan.channels_last,
        data=table.dataset.source,
        task=table.dataset.task,
        pruned=network.is_pruned,
    )


def finish(folder: Path, trained: Trained, table: Table, options: Options, progress: Progress, started: float) -> Run:
    """Write everything, test, report. Returns the finished run."""
    if options.minutes is not None:
        done = replace(trained.what.recipe, epochs=min(MAX_EPOCHS, max(0.01, round(trained.num_epochs, 2))))
        trained = replace(trained, what=replace(trained.what, recipe=done))
    run, result = _written(folder, trained, options), result_of(table.dataset.task)
    predictor = opened(folder, table.dataset.task, trained.calibration)
    rows, read = table.parts.rows("test"), prepare.reader_of(table, trained.what.preprocessing)
    tested = evaluate(predictor, table.dataset, rows, "test", read=read, asked=asked_of(run), look=True)
    slices = find_slices(tested) if len(rows) >= MIN_PICTURES else None
    plain = None if not run.config.tta else _by_plain_views(tested, predictor)
    metrics = tested.to_json() | {"interrupted": trained.outcome.interrupted} | trained.unknown.to_json()
    metrics |= {} if slices is None else {"slices": slices.to_json()}
    metrics |= {} if plain is None else {"without_tta": plain.main.value}
    write_csv(folder / "predictions.csv", *result.predictions(tested, table.dataset))
    taught_by = trained.what.recipe.teacher
    cost = None if taught_by is None else price(run, trained.engine, taught_by)
    metrics |= {} if cost is None else {"teacher": cost.to_json()}
    write_json(folder / "metrics.json", metrics)
    common = told(trained, run, table, tested, plain, cost, options, time.perf_counter() - started)
    is_measured = max(run.config.preprocessing.height, run.config.preprocessing.width) <= SMALL_SIDE
    maps, maps_said = reported(predictor, tested, is_measured, None if read is None else lambda row: read(row)[1])
    common = replace(common, maps=maps, maps_said=maps_said)
    if slices is not None:
        common = replace(common, where=where(slices, tested, table.dataset))
    train_labels = table.dataset.labels[table.parts.rows("train")]
    facts = result.facts_of(common, tested, table.dataset, train_labels, predictor.decision)
    for name, text in (("README.md", render_card(facts)), ("report.html", render_report(facts))):
        with replacing(folder / name) as file:
            file.write(text)
    figure, _, interval = result.headline(tested).partition("  ")
    progress.say(f"Test {figure} ({interval}, {words.pictures_of(common)}), {common.duration_s:.1f} s in all")
    for sentence in () if cost is None else cost.sentences():
        progress.say(f"Beside its teacher: {sentence}")
    progress.say(f"Report: {folder / 'report.html'}")
    return run


def _written(folder: Path, trained: Trained, options: Options) -> Run:
    """All that is known before the test, opened again."""
    made_by = f"{options.command}\nSeed {options.seed}, {trained.outcome.num_steps:,} steps"
    writer.write_recipe(folder, trained.what.recipe, trained.what.model_options, made_by)
    write_json(folder / "environment.json", writer.machine())
    writer.write_network(folder, trained.engine.network, trained.engine.config)
    if trained.calibration.known is not None:
        write_json(folder / CALIBRATION, trained.calibration.known)
    if trained.unknown.unknown is not None:
        write_arrays(folder / UNKNOWN, *trained.unknown.unknown.stored())
    return Run.open(folder)


def _by_plain_views(tested: Evaluation, predictor: Predictor) -> Evaluation:
    """What would have been answered by the pictures as they are alone."""
    assert tested.plain is not None  # of a test it is known
    outputs = predictor.decision.outputs(tested.plain)
    return replace(tested, logits=tested.plain, outputs=outputs, decided=predictor.decision.decided(outputs))


def opened(folder: Path, task: str, calibration: Calibration) -> Predictor:
    """The run's predictor, with sets or intervals where there are pictures enough for them."""
    num = 0 if calibration.known is None else num_for_sets(task, calibration.known)
    return Predictor.open(folder, sets=SETS_ERROR if can_promise(num, SETS_ERROR) else None)
