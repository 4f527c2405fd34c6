"""From a trained network to a finished run: saved, opened again, tested, reported.

Comes in: a Trained network and its Table; goes out: a Run. What is tested is what was saved, opened as any
later command opens it.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import torch

from sightline import __version__
from sightline.data.preprocess import Preprocessing
from sightline.data.reading.scan import SMALL_SIDE
from sightline.data.split import FRACTIONS
from sightline.decision import num_for_sets
from sightline.decision.sets import can_promise
from sightline.engines.torch import TorchEngine
from sightline.engines.views import num_views
from sightline.errors import ConfigError
from sightline.evaluation.abstention import AbstentionMeasured, measure_abstention
from sightline.evaluation.asking import asked_of
from sightline.evaluation.evaluate import Evaluation, evaluate
from sightline.models import Network
from sightline.predictor import Predictor, open_abstention
from sightline.report import Common, UnknownFacts, render_card, render_report
from sightline.report.results import result_of
from sightline.report.where import where
from sightline.run import CALIBRATION, UNKNOWN, Run, RunConfig, replacing, write_arrays, write_csv, write_json
from sightline.slicing import MIN_PICTURES, find_slices
from sightline.training import prepare, writer
from sightline.training.calibrate import Calibration
from sightline.training.loop import Outcome
from sightline.training.options import Options
from sightline.training.planning.plan import Plan
from sightline.training.prepare import Table
from sightline.training.progress import Progress
from sightline.training.resolve import Resolved
from sightline.training.unknown import Found

SETS_ERROR = 0.1  # of the sets that the report tells of
ABSTENTION_ERRORS = (0.005, 0.01, 0.02, 0.05, 0.1)  # likewise
SAME_BITS = "yes: nothing was measured, so that the same machine, versions, plan and seed give the same bits"


@dataclass(frozen=True)
class Origin:
    """What a network started from, in a sentence, and the licence of that, where it is stated."""

    sentence: str
    licence: str | None


@dataclass(frozen=True)
class Trained:
    """A network that has been trained, and how."""

    engine: TorchEngine
    what: Resolved
    plan: Plan
    outcome: Outcome
    num_steps: int
    num_epochs: float
    features: str = ""  # what computed those that a head was fitted on
    calibration: Calibration = field(default_factory=lambda: Calibration({}, ""))
    unknown: Found = field(default_factory=lambda: Found(None, ""))
    origin: Origin = Origin("", None)


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
    )


def finish(folder: Path, trained: Trained, table: Table, options: Options, progress: Progress, started: float) -> Run:
    """Write everything, test, report. Returns the finished run."""
    if options.minutes is not None:
        done = replace(trained.what.recipe, epochs=max(0.01, round(trained.num_epochs, 2)))
        trained = replace(trained, what=replace(trained.what, recipe=done))
    made_by = f"{options.command}\nSeed {options.seed}, {trained.outcome.num_steps:,} steps"
    writer.write_recipe(folder, trained.what.recipe, trained.what.model_options, made_by)
    write_json(folder / "environment.json", writer.machine())
    writer.write_network(folder, trained.engine.network, trained.engine.config)
    if trained.calibration.known is not None:
        write_json(folder / CALIBRATION, trained.calibration.known)
    if trained.unknown.unknown is not None:
        write_arrays(folder / UNKNOWN, *trained.unknown.unknown.stored())
    run = Run.open(folder)
    task = table.dataset.task
    predictor, result = opened(folder, task, trained.calibration), result_of(task)
    rows, read = table.parts.rows("test"), prepare.reader_of(table, trained.what.preprocessing)
    tested = evaluate(predictor, table.dataset, rows, "test", read=read, asked=asked_of(run), look=True)
    slices = find_slices(tested) if len(rows) >= MIN_PICTURES else None
    metrics, answers = tested.to_json() | {"interrupted": trained.outcome.interrupted}, _answers(run)
    metrics |= trained.unknown.to_json()
    if slices is not None:
        metrics["slices"] = slices.to_json()
    if run.config.tta:
        assert tested.plain is not None  # of a test it is known
        outputs = predictor.decision.outputs(tested.plain)
        by_one = replace(tested, logits=tested.plain, outputs=outputs, decided=predictor.decision.decided(outputs))
        metrics["without_tta"] = by_one.main.value
        answers += f"; by the picture as it is: test {result.headline(by_one)}"
    write_json(folder / "metrics.json", metrics)
    write_csv(folder / "predictions.csv", *result.predictions(tested, table.dataset))
    common = _common(trained, run, answers, table, tested, options, time.perf_counter() - started)
    if options.deterministic:
        common = replace(common, what=common.what | {"Deterministic": f"{SAME_BITS}; the seed was {options.seed}"})
    if slices is not None:
        common = replace(common, where=where(slices, tested, table.dataset))
    train_labels = table.dataset.labels[table.parts.rows("train")]
    facts = result.facts_of(common, tested, table.dataset, train_labels, predictor.decision)
    with replacing(folder / "README.md") as file:
        file.write(render_card(facts))
    with replacing(folder / "report.html") as file:
        file.write(render_report(facts))
    figure, _, interval = result.headline(tested).partition("  ")
    progress.say(f"Test {figure} ({interval}, {len(tested.rows):,} pictures), {common.duration_s:.1f} s in all")
    progress.say(f"Report: {folder / 'report.html'}")
    return run


def opened(folder: Path, task: str, calibration: Calibration) -> Predictor:
    """The run's predictor, with sets or intervals where there are pictures enough for them."""
    num = 0 if calibration.known is None else num_for_sets(task, calibration.known)
    return Predictor.open(folder, sets=SETS_ERROR if can_promise(num, SETS_ERROR) else None)


def _answers(run: Run) -> str:
    config = run.config
    text = f"in float32, batches of {config.batch_size}"
    if config.tta:
        text += f", the mean over {num_views(config.tta)} views of a picture ({', '.join(config.tta)})"
    return text


def _common(
    trained: Trained, run: Run, answers: str, table: Table, tested: Evaluation, options: Options, duration_s: float
) -> Common:
    outcome, dataset, parts = trained.outcome, table.dataset, table.parts
    notes = [*filter(None, (options.note,)), *table.notes, *outcome.notes]
    if outcome.interrupted:
        notes.append(f"Training was ended after {outcome.num_steps:,} of {trained.num_steps:,} steps.")
    if outcome.stopped_by_patience:
        notes.append(f"Training stopped after {outcome.num_steps:,} steps: the selection loss no longer fell.")
    is_undone = bool(trained.calibration.decision.get("biases"))  # by a bias for each class that has one
    if trained.what.recipe.balance not in ("none", "focal") and not is_undone:
        notes.append(
            "Classes of different sizes were made up for in training: probabilities are those of a world in which all "
            "are equally frequent, so rare ones come out more probable than they are among these pictures."
        )
    return Common(
        title=table.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=options.command,
        version=__version__,
        split="test",
        num_samples=len(tested.rows),
        classes=dataset.classes,
        splits=parts.counts(dataset.labels, len(dataset.classes)),
        totals={name: len(parts.rows(name)) for name in FRACTIONS},
        history=tuple(outcome.history),
        what=_what(trained) | {"Answers": answers},
        machine=writer.machine(),
        duration_s=duration_s,
        notes=tuple(notes),
        split_rule=parts.rule,
        licences=_licences(trained),
        unknown=_unknown(trained.unknown, tested),
        abstentions=tuple(_abstentions(run, tested)),
    )


def _abstentions(run: Run, tested: Evaluation) -> Iterator[AbstentionMeasured]:
    """For each share of wrong answers that the run's calibration pictures suffice for."""
    if (run.path / CALIBRATION).is_file():
        for error in ABSTENTION_ERRORS:
            with contextlib.suppress(ConfigError):
                yield measure_abstention(tested, open_abstention(run, error))


def _unknown(found: Found, tested: Evaluation) -> UnknownFacts | None:
    called = tested.called_unknown
    if found.unknown is None or called is None:
        return None
    return UnknownFacts(found.unknown.method, found.unknown.rate, len(found.unknown.scores), called, found.tried)


def _what(trained: Trained) -> dict[str, str]:
    network, recipe = trained.engine.network, trained.what.recipe
    num_parameters = sum(p.numel() for p in network.parameters())
    computed = {
        "Features": trained.features,
        "Calibration": trained.calibration.sentence,
        "Unknown": trained.unknown.sentence,
    }
    return {
        "Network": f"{network.architecture} ({num_parameters / 1e6:.2f} million parameters)",
        "Weights": trained.origin.sentence,
        "Chosen": trained.what.why,
        "Recipe": trained.what.sentence().removeprefix("Recipe: "),
        "Augmentation": (", ".join(trained.outcome.augmentations) if trained.outcome.num_steps else "") or "none",
        "Steps": f"{trained.outcome.num_steps:,} of up to {recipe.batch_size} pictures",
        "Kept": _kept(trained.outcome.kept_epoch, recipe.ema),
        "Time": trained.outcome.waiting or "no steps",
        "Plan": trained.plan.sentence(),
    } | {key: sentence for key, sentence in computed.items() if sentence}


def _kept(epoch: int | None, ema: float) -> str:
    if epoch is None:
        return f"the average of the last {ema:.0%} or so of the steps" if ema else "the last weights"
    return "the head alone, the network as it was" if epoch == 0 else f"the weights of epoch {epoch}, best on val"


def _licences(trained: Trained) -> dict[str, str]:
    licences = {"code": "Apache-2.0 (Sightline)", "data": "yours; not known to Sightline"}
    if trained.origin.licence is not None:
        licences["weights"] = trained.origin.licence
    return licences
