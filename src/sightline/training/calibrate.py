"""By which answers a run's decision is fitted: temperatures, thresholds. Comes in: a Table; goes out: a Calibration.

Pictures that were set aside for it do so: they neither train, nor select, nor test. Those that select help out, unless
they chose the weights; where a head alone was fitted and all of these trained it, its cross-validated answers serve.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sightline.data.preprocess import Pixels, Preprocessing
from sightline.data.tasks import Labels, task_of
from sightline.decision import Answers, Decision, MultiDecision, NumberDecision, PlainDecision, kept_for_sets, platt
from sightline.decision.temperature import NUM_NEEDED
from sightline.engines.torch import TorchEngine
from sightline.training import prepare
from sightline.training.objectives import Logits, Objective
from sightline.training.prepare import Table
from sightline.training.recipe import Recipe


@dataclass(frozen=True)
class Calibration:
    """A decision, as a run stores it, and how it came about; by what sets or intervals are made.

    `is_none`: there were too few pictures for it.
    """

    decision: dict[str, Any]
    sentence: str
    is_none: bool = False
    known: dict[str, Any] | None = None


@dataclass(frozen=True)
class Unseen:
    """Pictures that neither trained nor test, and may fit the decision: N of `parts`, preprocessed and answered."""

    parts: tuple[str, ...]
    pictures: Pixels
    answers: Answers
    labels: Labels

    @staticmethod
    def of(engine: TorchEngine, table: Table, frame: Preprocessing, parts: tuple[str, ...]) -> "Unseen":
        chosen = prepare.selection_of(table, frame, parts)
        is_any = len(chosen.labels) > 0
        answers = engine.all_answers(chosen.pictures) if is_any else Answers.none(len(table.dataset.classes))
        return Unseen(parts, chosen.pictures, answers, chosen.labels)


def calibration_of(objective: Objective, unseen: Unseen, cross_fitted: Mapping[str, Any] | None) -> Calibration:
    """Of a trained network; what was `cross_fitted` serves where too few pictures are set aside."""
    if cross_fitted is not None and len(unseen.labels) < NUM_NEEDED:
        return Calibration(**cross_fitted)
    return calibrated(objective, unseen.parts, unseen.answers.logits, unseen.labels)


def parts_for(recipe: Recipe, chose_weights: bool) -> tuple[str, ...]:
    """The parts whose answers fit the decision: those that select help out, unless they chose the weights, or when to
    end.

    All that they choose otherwise is which augmentations are safe, and twice the pictures leave half of the variance.
    """
    return ("calibration",) if chose_weights or recipe.patience > 0 else ("val", "calibration")


def calibrated(objective: Objective, parts: tuple[str, ...], logits: Logits, labels: Labels) -> Calibration:
    """The decision by answers to pictures of these parts, or to those of a cross-validation, where there is none."""
    decision, num = objective.decision(logits, labels), len(labels)
    known = kept_for_sets(task_of(labels), decision.outputs(logits), labels) if num else None
    is_none = num < (1 if isinstance(decision, NumberDecision) else NUM_NEEDED)
    stored = {name: value for name, value in asdict(decision).items() if value != ()}
    return Calibration(stored, _sentence(decision, labels, parts), is_none, known)


def _sentence(decision: PlainDecision, labels: Labels, parts: tuple[str, ...]) -> str:
    """What was fitted by what."""
    num = len(labels)
    by = f"{num:,} pictures of {' and '.join(parts)}" if parts else f"cross-validated answers to {num:,} pictures"
    if isinstance(decision, NumberDecision):
        return f"how far off answers may be, by {by}" if num else "none: there are no pictures for it"
    too_few = f"none: there are {num:,} pictures for it, and at least {NUM_NEEDED} are needed"
    if isinstance(decision, Decision):
        curve = ", and a curve of how often answers are right" if decision.curve else ""
        return too_few if num < NUM_NEEDED else f"temperature {decision.temperature:.3g}{curve}, by {by}"
    if not num:
        return f"{too_few}; thresholds of one half"
    how = too_few if num < NUM_NEEDED else _by_class(decision, labels)
    return f"{how}; thresholds by {by}" if num < NUM_NEEDED else f"{how}, and thresholds, by {by}"


def _by_class(decision: MultiDecision, labels: Labels) -> str:
    """How many classes have their own, and what the others have."""
    own = platt.has_own(labels.astype(np.uint8))
    shared = [t for t, has in zip(decision.temperatures, own, strict=True) if not has]
    if not shared:
        return "a temperature and a bias for each class"
    rest = f"the temperature of all classes together, {shared[0]:.3g}"
    if not own.any():
        return f"{rest}, as too few pictures carry each"
    return f"a temperature and a bias for {own.sum()} of {len(own)} classes ({rest}, for those that too few carry)"
