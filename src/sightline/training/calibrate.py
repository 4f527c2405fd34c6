"""By which answers a run's decision is fitted: temperature, thresholds. Comes in: a Table; goes out: a Calibration.

Pictures that were set aside for it do so: they neither train, nor select, nor test. Where they are too few, those that
select help out; where a head alone was fitted and they trained it too, its cross-validated answers serve.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.data.preprocess import Pixels, Preprocessing
from sightline.data.tasks import Labels
from sightline.decision import Answers, AnyDecision, Decision, MultiDecision, sets
from sightline.decision.temperature import NUM_NEEDED
from sightline.engines.torch import TorchEngine
from sightline.training import prepare
from sightline.training.objectives import Logits, Objective
from sightline.training.prepare import Table
from sightline.training.recipe import Recipe

ENOUGH = 100  # pictures; of fewer those that select help out


@dataclass(frozen=True)
class Calibration:
    """A decision, as a run stores it, and how it came about; of one class a picture, by what sets are made.

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
    def of(engine: TorchEngine, table: Table, frame: Preprocessing, recipe: Recipe) -> "Unseen":
        parts = parts_for(table.parts.names, table.dataset.task, recipe)
        chosen = prepare.selection_of(table, frame, parts)
        is_any = len(chosen.labels) > 0
        answers = engine.all_answers(chosen.pictures) if is_any else Answers.none(len(table.dataset.classes))
        return Unseen(parts, chosen.pictures, answers, chosen.labels)


def calibration_of(objective: Objective, unseen: Unseen, cross_fitted: Mapping[str, Any] | None) -> Calibration:
    """Of a trained network; what was `cross_fitted` serves where too few pictures are set aside."""
    if cross_fitted is not None and len(unseen.labels) < NUM_NEEDED:
        return Calibration(**cross_fitted)
    return calibrated(objective, unseen.parts, lambda: (unseen.answers.logits, unseen.labels))


def parts_for(names: NDArray[np.str_], task: str, recipe: Recipe) -> tuple[str, ...]:
    """The parts whose answers fit the decision, `names` (N,) being that of each picture."""
    chose_weights = recipe.keep == "best" or recipe.patience > 0
    is_enough = int((names == "calibration").sum()) >= ENOUGH
    if task == "single" and (is_enough or chose_weights):
        return ("calibration",)
    return ("val", "calibration")


def calibrated(
    objective: Objective, parts: tuple[str, ...], answers: Callable[[], tuple[Logits, Labels]]
) -> Calibration:
    """The decision by `answers` to pictures of these parts, or to those of a cross-validation, where there is none."""
    asked = list[tuple[Logits, Labels]]()

    def asking() -> tuple[Logits, Labels]:
        asked.append(answers())
        return asked[-1]

    decision, known = objective.decision(asking), None
    num = sum(len(labels) for _, labels in asked)
    if isinstance(decision, Decision) and num:
        logits, labels = asked[-1]
        outputs = decision.outputs(logits)
        known = {
            "labels": labels.tolist(),
            "answers": decision.decided(outputs).tolist(),
            "probabilities": outputs.max(axis=1).tolist(),
            "scores": sets.true_scores(outputs, labels.astype(np.int64)),
        }
    is_none = isinstance(decision, Decision) and num < NUM_NEEDED
    return Calibration(asdict(decision), _sentence(decision, num, parts), is_none, known)


def _sentence(decision: AnyDecision, num: int, parts: tuple[str, ...]) -> str:
    """What was fitted by what."""
    by = f"{num:,} pictures of {' and '.join(parts)}" if parts else f"cross-validated answers to {num:,} pictures"
    if isinstance(decision, MultiDecision):
        return f"thresholds by {by}" if num else "thresholds of one half: there are no pictures to find others by"
    if not isinstance(decision, Decision):
        return ""
    if num < NUM_NEEDED:
        return f"none: there are {num:,} pictures for it, and at least {NUM_NEEDED} are needed"
    return f"temperature {decision.temperature:.3g}, by {by}"
