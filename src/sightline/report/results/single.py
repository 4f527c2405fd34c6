"""One class a picture: accuracy, each class, what is taken for what, the surest mistakes."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.data.dataset import Dataset
from sightline.data.tasks import Labels, counts
from sightline.decision import AnyDecision, Decision, SetDecision
from sightline.evaluation.evaluate import Evaluation
from sightline.evaluation.sets import SetsMeasured, of_one_class
from sightline.metrics import Figure, log_loss
from sightline.metrics.costs import Costs
from sightline.metrics.hierarchy import Hierarchy
from sightline.metrics.operating_point import OperatingPoint, Point
from sightline.metrics.per_class import ClassScore
from sightline.metrics.risk_coverage import RiskCoverage
from sightline.metrics.roc import Roc
from sightline.report import asked, chart, reliability, risk, roc, words
from sightline.report.facts import Card, ClassRow, Common, Encoded, Example, Facts, Sureness
from sightline.report.thumbnail import NUM_EXAMPLES, thumbnail
from sightline.report.words import Caution

CURVE = "Accuracy"


@dataclass(frozen=True)
class Finding:
    """Of the positive of two classes: sentences, the curve, and thresholds by what chose them."""

    positive: str
    sentences: tuple[str, ...]
    curve: roc.Curve
    rows: tuple[tuple[str, Point], ...]


MAX_NUMBERED = 30  # classes; a larger matrix with numbers fits neither screen nor paper
PAIRS_SHOWN = 8
PAIRS_SHOWN_MANY = 24  # where there are no numbers to look at
CONFUSED_SHOWN = 5  # on the card


def headline(tested: Evaluation) -> str:
    low, high = tested.accuracy.interval
    return f"accuracy {tested.accuracy.value:.2%}  95 % interval {low:.2%} to {high:.2%}"


BESIDE = {
    "balanced_accuracy": "balanced accuracy", "f1_macro": "macro F1", "kappa": "Cohen's kappa", "auroc": "AUROC",
    "average_precision": "average precision",
}  # fmt: skip


def beside(tested: Evaluation) -> dict[str, Figure]:
    """Figures in which classes count the same, or chance nothing, or the order of the probabilities alone."""
    found = {what: tested.figure(name) for name, what in BESIDE.items()}
    return {what: one for what, one in found.items() if isinstance(one, Figure) and one.value is not None}


def _line(what: str, figure: Figure) -> str:
    assert figure.value is not None and figure.interval is not None
    value, low, high = (f"{v:.2%}" for v in (figure.value, *figure.interval))
    return f"{what} {value}  95 % interval {low} to {high}"


def table(tested: Evaluation, names: tuple[str, ...]) -> list[str]:
    width = max(map(len, names))
    lines = [f"{'class':{width}}  pictures  precision  recall     F1"]
    for name, score in zip(names, tested.per_class, strict=True):
        figures = (f"{v:9.1%}" if v is not None else "        -" for v in (score.precision, score.recall, score.f1))
        lines.append(f"{name:{width}}  {score.count:8,}  {' '.join(figures)}")
    return [*lines, *(_line(*one) for one in beside(tested).items()), *_asked(tested)]


def _asked(tested: Evaluation) -> list[str]:
    """What was asked besides, a sentence a line."""
    point, costs, tree = (tested.figure(name) for name in ("operating_point", "costs", "hierarchy"))
    lines = list[str]()
    if isinstance(point, OperatingPoint):
        lines += [*filter(None, [asked.point_in_short(point)]), *asked.point_in_words(point)]
    if isinstance(costs, Costs):
        lines += asked.costs_in_words(costs)
    if isinstance(tree, Hierarchy):
        lines += asked.tree_in_words(tree)
    return [words.printable(line) for line in lines]


def predictions(tested: Evaluation, dataset: Dataset) -> tuple[tuple[str, ...], Iterable[tuple[str, ...]]]:
    given = tested.outputs[np.arange(len(tested.rows)), tested.decided.astype(np.int64)]
    rows = (
        (dataset.paths[row], dataset.label_text(row), dataset.classes[int(answer)], f"{probability:.6f}")
        for row, answer, probability in zip(tested.rows, tested.decided, given, strict=True)
    )
    return ("path", "label", "predicted", "probability"), rows


def facts_of(
    common: Common, tested: Evaluation, dataset: Dataset, train_labels: Labels, decision: AnyDecision
) -> Facts:
    top5, confusion = tested.figure("top5"), tested.figure("confusion")
    assert isinstance(confusion, np.ndarray)
    point, curve, tree = (tested.figure(name) for name in ("operating_point", "roc", "hierarchy"))
    mistakes, hits = examples(tested, dataset)
    commonest = counts(train_labels, len(dataset.classes)).argmax()
    return Facts(
        **common.shared(),
        accuracy=tested.accuracy.value,
        interval=tested.accuracy.interval,
        top5=top5 if isinstance(top5, float) else None,
        baseline=float((tested.labels == commonest).mean()),
        class_rows=class_rows(tested.per_class, dataset.classes),
        beside=beside(tested),
        confusion=confusion,
        sets=sets_of(tested, decision, dataset.classes),
        risk=risk_of(tested),
        sureness=sureness(tested, common.what.get("Calibration", ""), decision),
        surest_mistakes=mistakes,
        least_sure_hits=hits,
        operating_point=point if isinstance(point, OperatingPoint) else None,
        roc=curve if isinstance(curve, Roc) else None,
        tree=tree if isinstance(tree, Hierarchy) else None,
    )


def risk_of(tested: Evaluation) -> RiskCoverage:
    found = tested.figure("risk_coverage")
    assert isinstance(found, RiskCoverage)
    return found


def sets_of(tested: Evaluation, decision: AnyDecision, classes: tuple[str, ...]) -> SetsMeasured | None:
    return of_one_class(tested, decision.sets, classes) if isinstance(decision, SetDecision) else None


def sureness(tested: Evaluation, calibration: str, decision: AnyDecision) -> Sureness:
    bins, ece_now, brier_now = (tested.figure(name) for name in ("reliability", "ece", "brier"))
    assert isinstance(bins, list) and isinstance(ece_now, Figure) and isinstance(brier_now, Figure)
    plain = decision.decision if isinstance(decision, SetDecision) else decision
    is_calibrated = isinstance(plain, Decision) and plain.temperature != 1
    errors = ece_now, brier_now, log_loss.measure(tested.sample), tested.uncalibrated
    return Sureness(tuple(bins), *errors, calibration, is_calibrated)


def class_rows(scores: list[ClassScore], classes: tuple[str, ...]) -> tuple[ClassRow, ...]:
    return tuple(
        ClassRow(name, one.count, one.precision, one.recall, one.recall_interval, one.f1, one.auroc.value)
        for name, one in zip(classes, scores, strict=True)
    )


def examples(tested: Evaluation, dataset: Dataset) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """The surest mistakes, and the least sure hits, as pictures."""
    sureness = tested.outputs.max(axis=1)
    right = tested.decided == tested.labels
    mistakes = sorted(np.flatnonzero(~right), key=lambda i: -sureness[i])[:NUM_EXAMPLES]
    hits = sorted(np.flatnonzero(right), key=lambda i: sureness[i])[:NUM_EXAMPLES]

    def example(i: int) -> Example:
        row = int(tested.rows[i])
        return Example(
            path=dataset.paths[row],
            truth=dataset.label_text(row),
            predicted=dataset.classes[int(tested.decided[i])],
            probability=float(sureness[i]),
            image=thumbnail(dataset, row),
        )

    return tuple(example(int(i)) for i in mistakes), tuple(example(int(i)) for i in hits)


def title(facts: Facts) -> str:
    return f"{words.percent(facts.accuracy)} right"


def meaning(facts: Facts) -> str:
    point = facts.operating_point
    return " ".join(filter(None, [words.meaning(facts), "" if point is None else asked.point_in_short(point)]))


def cautions(facts: Facts) -> list[Caution]:
    broken = "" if facts.operating_point is None else asked.broken_promise(facts.operating_point)
    return words.cautions(facts) + ([Caution(broken)] if broken else [])


def page_values(facts: Facts) -> dict[str, object]:
    many = len(facts.classes) > MAX_NUMBERED
    return {
        "rows": weakest_first(facts.class_rows),
        "confused": words.most_confused(facts.confusion, facts.classes, PAIRS_SHOWN_MANY if many else PAIRS_SHOWN),
        "heat_map": chart.heat_map(facts.confusion) if many else None,
        "shares": None if many else _shares(facts.confusion),
        "sure": facts.sureness,
        "sets": None if facts.sets is None else words.sets_in_words(facts.sets),
        "sureness": words.sureness(facts.sureness),
        "finding": _finding(facts),
        "levels": None if facts.tree is None else asked.tree_in_words(facts.tree),
        "diagram": reliability.diagram(facts.sureness.bins),
        "risk": risk.drawn(facts.risk),
        "mistakes": [_card(one, facts.maps.get(one.path)) for one in facts.surest_mistakes],
        "hits": [_card(one) for one in facts.least_sure_hits],
    }


def _finding(facts: Facts) -> Finding | None:
    """Of two classes: the curve, and what its thresholds do."""
    point = facts.operating_point
    if point is None or facts.roc is None:
        return None
    rows = (
        ("By calibration pictures", point.transferred),
        ("By the test itself", point.on_curve),
        ("Most probable class", point.as_answered),
    )
    shown = tuple((what, one) for what, one in rows if one is not None)
    sentences = (asked.point_in_short(point), *asked.point_in_words(point))
    return Finding(point.positive, sentences, roc.drawn(facts.roc, point), shown)


def _card(one: Example, over: Encoded | None = None) -> Card:
    is_right = one.truth == one.predicted
    return Card(
        path=one.path,
        image=one.image,
        alt=f"{'Picture' if is_right else 'Mistaken picture'} of {one.truth}",
        lines=(
            ("Truth", one.truth, "plain"),
            ("Answer", one.predicted, "right" if is_right else "wrong"),
            ("Probability", words.percent(one.probability), ""),
        ),
        over=over,
    )


def weakest_first(rows: tuple[ClassRow, ...]) -> list[ClassRow]:
    """By recall, then F1; classes that were not tested come last."""

    def weakness(row: ClassRow) -> tuple[bool, float, float]:
        return (row.recall is None, row.recall or 0.0, row.f1 or 0.0)

    return sorted(rows, key=weakness)


def _shares(confusion: NDArray[np.int64]) -> list[list[float]]:
    shares: list[list[float]] = (confusion / confusion.sum(axis=1, keepdims=True).clip(1)).tolist()
    return shares


def card_answer(facts: Facts) -> str:
    return (
        f"**{words.percent(facts.accuracy)} of {facts.split} pictures right** (95 % interval "
        f"{words.span(facts.interval)}, {words.pictures_of(facts)}). Always answering the commonest "
        f"class would be right for {words.percent(facts.baseline)}."
    )


def card_metrics(facts: Facts) -> list[tuple[str, str, float]]:
    metrics = [("accuracy", "Accuracy", facts.accuracy)]
    if facts.top5 is not None:
        metrics.append(("accuracy", "Top-5 accuracy", facts.top5))
    auroc = facts.beside.get("AUROC")
    if auroc is not None and auroc.value is not None:
        metrics.append(("roc_auc", "AUROC", auroc.value))
    return metrics


def card_table(facts: Facts) -> tuple[list[str], list[list[str]]]:
    rows = [
        [row.name, f"{row.count:,}", *map(words.share, (row.recall, row.precision, row.f1, row.auroc))]
        for row in facts.class_rows
    ]
    return ["Class", "Pictures", "Recall", "Precision", "F1", "AUROC"], rows


def card_mistakes(facts: Facts) -> list[str]:
    found = words.most_confused(facts.confusion, facts.classes, CONFUSED_SHOWN)
    return [f"{one.count:,} of {one.total:,}: {one.truth} taken for {one.predicted}" for one in found]


def card_limits(facts: Facts) -> list[str]:
    return [
        f"The network has one of its {len(facts.classes):,} classes for whatever it is shown.",
        *([] if facts.unknown is None else [words.unknown_in_words(facts.unknown)]),
        words.sureness(facts.sureness),
    ]
