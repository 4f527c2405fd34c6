"""By what a run tells pictures of something else: a method that was chosen, fitted and calibrated.

Comes in: what a trained network answers to pictures that trained it, and to others that neither trained nor test; goes
out: an Unknown, and how it came about. Every method is tried on what is at hand without a test: classes taken away, as
if the network had never heard of them, and made-up pictures. How often known pictures are called unknown is promised;
the rest is an estimate.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.data.preprocess import Preprocessing
from sightline.data.storage import durable
from sightline.data.tasks import Labels
from sightline.decision import Answers, Unknown
from sightline.decision import unknown as methods
from sightline.decision.answers import Floats
from sightline.decision.appearance import appearance
from sightline.decision.sets import can_promise
from sightline.engines.torch import TorchEngine
from sightline.metrics._ranking import auroc
from sightline.training import prepare
from sightline.training.calibrate import Unseen
from sightline.training.made_up import made_up
from sightline.training.prepare import Table

MAX_TRAINED = 1_000  # pictures that a run's are compared with
MAX_NUMBERS = 2_000_000  # of all their features: 4 MB
RATES = (0.01, 0.05)  # of known pictures called unknown: the first that the pictures suffice to promise
MAX_LEFT_OUT = 5  # classes
FROZEN = "frozen.npy"
FEW = 5  # pictures of a class; of fewer nothing is learned


@dataclass(frozen=True)
class Found:
    """`unknown` None: there were too few pictures. `tried`: the mean area under the curve, of each method, over classes
    taken away (NaN: none could be) and over made-up pictures."""

    unknown: Unknown | None
    sentence: str
    tried: dict[str, tuple[float, float]] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """What metrics.json says of it."""
        if self.unknown is None:
            return {}
        tried = {
            name: {"classes_taken_away": near if near == near else None, "made_up": far}
            for name, (near, far) in self.tried.items()
        }
        facts = {
            "method": self.unknown.method,
            "rate": self.unknown.rate,
            "num": len(self.unknown.scores),
            "tried": tried,
        }
        return {"unknown": facts}


NONE = Found(None, "")


def trained_rows(table: Table, width: int) -> NDArray[np.intp]:
    """Rows of the pictures that a new one is compared with: of those that train, an even sample by their labels; fewer
    where a picture has many features (`width`)."""
    rows = table.parts.rows("train")
    if table.dataset.task == "single":
        rows = rows[np.argsort(table.dataset.labels[rows], kind="stable")]
    most = min(MAX_TRAINED, max(1, MAX_NUMBERS // max(1, width)))
    places = np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)
    return np.asarray(rows[places], np.intp)


def keep_frozen(folder: Path, table: Table, features: Floats) -> None:
    """Of a frozen network, features (N, D) of the pictures that train, in their order: on the disk, where a training
    that was broken off finds them again."""
    rows = table.parts.rows("train")
    with durable.replacing(folder / FROZEN) as file:
        np.save(file, features[np.isin(rows, trained_rows(table, features.shape[1]))])


def found(engine: TorchEngine, table: Table, frame: Preprocessing, unseen: Unseen, folder: Path, seed: int) -> Found:
    """Of a trained network, by the answers to pictures that did not train; of a frozen one by what was kept."""
    if (folder / FROZEN).exists():
        features = np.load(folder / FROZEN)
        rows = np.sort(trained_rows(table, features.shape[1]))
        looks = appearance(prepare.pictures_of(table, frame, rows))
        groups = table.dataset.group_numbers(rows)
        return of_frozen(features, looks, np.arange(len(rows)) if groups is None else groups)
    rate = next((rate for rate in RATES if can_promise(len(unseen.answers), rate)), None)
    if rate is None:
        return _too_few(len(unseen.answers))
    rows = trained_rows(table, unseen.answers.features.shape[1])
    trained = engine.all_answers(prepare.pictures_of(table, frame, rows))
    strange = engine.all_answers(made_up(unseen.pictures, seed))
    return chosen(trained, table.dataset.labels[rows], unseen.answers, unseen.labels, strange, table.dataset.task, rate)


def of_frozen(features: Floats, looks: Floats, groups: NDArray[np.intp]) -> Found:
    """Where a head alone was fitted, by pictures that it was fitted on, (n, D) and (n, F), each told by the others.

    Those of its own group (n,) do not count, for a new picture has no others of its group among them.
    """
    rate = next((rate for rate in RATES if can_promise(len(features), rate)), None)
    if rate is None:
        return _too_few(len(features))
    if len(np.unique(groups)) < 2:
        return Found(None, "none: all pictures that train are of one group, so that there is none to be told by others")
    trained = Answers(features[:, :0], features[:, :0], features, looks)
    kept, scores = methods.fitted_to_themselves(trained, groups)
    unknown = methods.calibrated("knn_pixels", kept, scores, rate)
    return Found(unknown, _sentence(unknown, None))


def _too_few(num: int) -> Found:
    return Found(None, f"none: there are {num:,} pictures for it, and at least {ceil(1 / RATES[-1]) - 1} are needed")


def chosen(
    trained: Answers, trained_labels: Labels, unseen: Answers, labels: Labels, strange: Answers, task: str, rate: float
) -> Found:
    """The method that tells best what it tells worse: classes taken away, or made-up pictures.

    The mean would trust the former too much, which the network has seen: they said 98 % where it was 75 %.
    """
    has_features = trained.features.shape[1] > 0
    names = [name for name in methods.METHODS if _applies(name, task, has_features)]
    if not names:
        return Found(None, "none: the network has no one head whose features could be compared")
    away = _classes_away(trained, trained_labels, unseen, labels, task)
    near, far = [_told(names, *parts) for parts in away], _told(names, trained, unseen, strange)
    tried = {name: (float(np.mean([one[name] for one in near])) if near else float("nan"), far[name]) for name in names}
    best = max(names, key=lambda name: round(float(np.nanmin(tried[name])), 2))  # of equals the first of METHODS
    kept = methods.fitted(best, trained, unseen)
    unknown = methods.calibrated(best, kept, methods.strangeness(best, kept, unseen), rate)
    return Found(unknown, _sentence(unknown, tried[best]), tried)


def _applies(name: str, task: str, has_features: bool) -> bool:
    """Logits say how sure a network is only where they are of one class a picture."""
    return has_features if name.startswith("knn") else task == "single" and (has_features or name in ("energy", "msp"))


def _told(names: list[str], trained: Answers, known: Answers, strange: Answers) -> dict[str, float]:
    """By each method the chance that a strange picture is found stranger than a known one."""
    labels = np.repeat(np.array([0, 1], np.uint8), (len(known), len(strange)))
    scores = {name: np.concatenate(both) for name, both in methods.compared(names, trained, known, strange).items()}
    return {name: float(auroc(found, labels, np.ones((1, len(found))))[0]) for name, found in scores.items()}


def _classes_away(
    trained: Answers, trained_labels: Labels, unseen: Answers, labels: Labels, task: str
) -> Iterator[tuple[Answers, Answers, Answers]]:
    """Trained and known answers without a class, and those of that class, as if there were no logit for it."""
    if task != "single" or trained.logits.shape[1] < 3:
        return
    num_each = np.bincount(labels, minlength=trained.logits.shape[1])
    enough = np.flatnonzero((num_each >= FEW) & (num_each.sum() - num_each >= FEW))
    for k in enough[np.linspace(0, len(enough) - 1, min(MAX_LEFT_OUT, len(enough))).astype(int)]:
        trained_k, unseen_k = (_without_logit(answers, int(k)) for answers in (trained, unseen))
        yield trained_k.take(trained_labels != k), unseen_k.take(labels != k), unseen_k.take(labels == k)


def _without_logit(answers: Answers, k: int) -> Answers:
    return replace(answers, logits=np.delete(answers.logits, k, 1), plain=np.delete(answers.plain, k, 1))


def _sentence(unknown: Unknown, told: tuple[float, float] | None) -> str:
    """What was chosen, and by which figures."""
    text = f"by {unknown.method}"
    if told is not None:
        near = "" if np.isnan(told[0]) else f"{told[0]:.1%} of pairs for classes taken away, "
        text += f", which finds the strange one of two pictures: {near}{told[1]:.1%} for made-up ones"
    return f"{text}; at most {unknown.rate:.0%} of known pictures are called so, by {len(unknown.scores):,} of them"
