"""What a training has to tell of itself. Comes in: a Trained network, its Table and its test; goes out: Common facts.

Must not know how the page and the card look.
"""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime

from sightline import __version__
from sightline.data.split import FRACTIONS
from sightline.decision import abstention
from sightline.engines.views import num_views
from sightline.errors import ConfigError
from sightline.evaluation.abstention import AbstentionMeasured, measure_abstention
from sightline.evaluation.evaluate import Evaluation
from sightline.report import Common, UnknownFacts
from sightline.report.results import result_of
from sightline.run import CALIBRATION, Run
from sightline.training import writer
from sightline.training.options import Options
from sightline.training.prepare import Table
from sightline.training.price import Price
from sightline.training.trained import Trained
from sightline.training.unknown import Found

ABSTENTION_ERRORS = (0.005, 0.01, 0.02, 0.05, 0.1)  # that the report tells of
SAME_BITS = "yes: nothing was measured, so that the same machine, versions, plan and seed give the same bits"


def told(
    trained: Trained,
    run: Run,
    table: Table,
    tested: Evaluation,
    plain: Evaluation | None,
    cost: Price | None,
    options: Options,
    duration_s: float,
) -> Common:
    """`plain`: the test by pictures as they are, where the run averages over views; `cost`: beside its teacher."""
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
        num_groups=tested.num_groups,
        classes=dataset.classes,
        splits=parts.counts(dataset.labels, len(dataset.classes)),
        totals={name: len(parts.rows(name)) for name in FRACTIONS},
        history=tuple(outcome.history),
        what=_what(trained, options) | {"Answers": _answers(run, plain)} | _cost(cost),
        machine=writer.machine(),
        duration_s=duration_s,
        notes=tuple(notes),
        split_rule=parts.rule,
        licences=_licences(trained),
        unknown=_unknown(trained.unknown, tested),
        abstentions=tuple(_abstentions(trained, run, tested)),
    )


def _abstentions(trained: Trained, run: Run, tested: Evaluation) -> Iterator[AbstentionMeasured]:
    """For each share of wrong answers that the run's calibration pictures suffice for, of one class a picture."""
    known = trained.calibration.known
    if run.config.task == "single" and known is not None:
        for error in ABSTENTION_ERRORS:
            with contextlib.suppress(ConfigError):
                yield measure_abstention(tested, abstention.fitted(known, error, str(run.path / CALIBRATION)))


def _unknown(found: Found, tested: Evaluation) -> UnknownFacts | None:
    called = tested.called_unknown
    if found.unknown is None or called is None:
        return None
    return UnknownFacts(found.unknown.method, found.unknown.rate, len(found.unknown.scores), called, found.tried)


def _cost(cost: Price | None) -> dict[str, str]:
    return {} if cost is None else {"Beside its teacher": f"{cost.teacher}: {'; '.join(cost.sentences())}"}


def _answers(run: Run, plain: Evaluation | None) -> str:
    """How the run answers."""
    config, text = run.config, f"in float32, batches of {run.config.batch_size}"
    if plain is not None:
        text += f", the mean over {num_views(config.tta)} views of a picture ({', '.join(config.tta)})"
        text += f"; by the picture as it is: test {result_of(config.task).headline(plain)}"
    return text


def _what(trained: Trained, options: Options) -> dict[str, str]:
    network, recipe = trained.engine.network, trained.what.recipe
    num_parameters = sum(p.numel() for p in network.parameters())
    computed = {
        "Features": trained.features,
        "Calibration": trained.calibration.sentence,
        "Unknown": trained.unknown.sentence,
        "Deterministic": f"{SAME_BITS}; the seed was {options.seed}" if options.deterministic else "",
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
