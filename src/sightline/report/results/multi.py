"""Several classes a picture: mean average precision, each class at its threshold, what is missed and what is seen
where it is not."""

from collections.abc import Iterable

import numpy as np

from sightline.data.dataset import Dataset
from sightline.data.tasks import Labels, counts
from sightline.data.tasks import multi as task
from sightline.decision import AnyDecision, LabelSetDecision, MultiDecision
from sightline.decision.multi import ONE_HALF
from sightline.evaluation.evaluate import Evaluation
from sightline.evaluation.sets import of_several
from sightline.metrics import Figure, ece, log_loss
from sightline.metrics.per_label import LabelScore
from sightline.report import reliability, words
from sightline.report.facts import Card, Common, LabelRow, LabelSureness, MultiFacts, Sureness
from sightline.report.thumbnail import NUM_EXAMPLES, thumbnail
from sightline.report.words import Caution

CURVE = "Mean average precision"


def headline(tested: Evaluation) -> str:
    return f"mean average precision {_with_interval(tested.main)}"


def _with_interval(figure: object) -> str:
    value, interval = getattr(figure, "value", None), getattr(figure, "interval", None)
    if value is None:
        return "undefined  for these pictures"
    if interval is None:
        return f"{value:.2%}  no interval"
    return f"{value:.2%}  95 % interval {interval[0]:.2%} to {interval[1]:.2%}"


def table(tested: Evaluation, names: tuple[str, ...]) -> list[str]:
    lines = [
        f"{what} {_with_interval(tested.figure(name))}"
        for what, name in (
            ("macro F1", "f1_macro"),
            ("micro F1", "f1_micro"),
            ("exact match", "exact_match"),
            ("Hamming loss", "hamming_loss"),
        )
    ]
    width = max(map(len, names))
    lines.append(f"{'class':{width}}  pictures  av. prec.    AUROC  precision   recall       F1")
    for name, score in zip(names, _scores(tested), strict=True):
        values = (score.average_precision.value, score.auroc.value, score.precision, score.recall, score.f1.value)
        first, *rest = (f"{v:.1%}" if v is not None else "-" for v in values)
        cells = f"{first:>9} {rest[0]:>8} {rest[1]:>10} {rest[2]:>8} {rest[3]:>8}"
        lines.append(f"{name:{width}}  {score.count:8,}  {cells}")
    return lines


def _scores(tested: Evaluation) -> list[LabelScore]:
    return tested.figure("per_label")  # type: ignore[return-value]


def predictions(tested: Evaluation, dataset: Dataset) -> tuple[tuple[str, ...], Iterable[tuple[str, ...]]]:
    rows = (
        (
            dataset.paths[row],
            dataset.label_text(row),
            task.written(answer, dataset.classes),
            *(f"{p:.6f}" for p in outputs),
        )
        for row, answer, outputs in zip(tested.rows, tested.decided, tested.outputs, strict=True)
    )
    return ("path", "labels", "predicted", *(f"p_{name}" for name in dataset.classes)), rows


def facts_of(
    common: Common, tested: Evaluation, dataset: Dataset, train_labels: Labels, decision: AnyDecision
) -> MultiFacts:
    plain = decision.decision if isinstance(decision, LabelSetDecision) else decision
    assert isinstance(plain, MultiDecision)
    scores = _scores(tested)
    rows = tuple(
        LabelRow(name, threshold, score)
        for name, threshold, score in zip(dataset.classes, plain.thresholds, scores, strict=True)
    )
    carried = counts(tested.labels, len(dataset.classes))
    is_mixed = (carried > 0) & (carried < len(tested.rows))
    missed, false = examples(tested, dataset, plain)
    figures = {name: _figure(tested, name) for name in ("f1_macro", "f1_micro", "exact_match", "hamming_loss")}
    always = (counts(train_labels, len(dataset.classes)) > len(train_labels) / 2).astype(np.uint8)
    return MultiFacts(
        **common.shared(),
        average_precision=_figure(tested, "mean_average_precision"),
        baseline=float(carried[is_mixed].mean() / len(tested.rows)) if is_mixed.any() else 0.0,
        exact_baseline=float((tested.labels == always).all(axis=1).mean()),
        label_rows=rows,
        figures=figures,
        sureness=sureness(tested, common.what.get("Calibration", ""), plain, dataset.classes),
        sets=of_several(tested, decision.sets, dataset.classes) if isinstance(decision, LabelSetDecision) else None,
        missed=missed,
        false=false,
    )


def sureness(tested: Evaluation, calibration: str, decision: MultiDecision, names: tuple[str, ...]) -> Sureness:
    bins, before = tested.figure("reliability"), ece.each_value(tested.sample_uncalibrated)
    assert isinstance(bins, list)
    hows = [""] * len(names)
    if decision.temperatures:
        numbers = zip(decision.temperatures, decision.biases, strict=True)
        hows = [f"temperature {t:.3g}" + (f", bias {b:+.2f}" if b else ", that of all classes") for t, b in numbers]
    after: list[float] = tested.figure("label_ece")  # type: ignore[assignment]
    each = tuple(LabelSureness(*one) for one in zip(names, before, after, hows, strict=True))
    errors = _figure(tested, "ece"), _figure(tested, "brier"), log_loss.measure(tested.sample), tested.uncalibrated
    return Sureness(tuple(bins), *errors, calibration, bool(decision.temperatures), each)


def _figure(tested: Evaluation, name: str) -> Figure:
    found = tested.figure(name)
    assert isinstance(found, Figure)
    return found


def examples(
    tested: Evaluation, dataset: Dataset, decision: MultiDecision
) -> tuple[tuple[Card, ...], tuple[Card, ...]]:
    """Classes that were most surely missed, and most surely seen where they are not; a picture once in each."""
    carried, answered = tested.labels.astype(bool), tested.decided.astype(bool)

    def cards(wrong: np.ndarray[tuple[int, int], np.dtype[np.bool_]], sign: int) -> tuple[Card, ...]:
        found: dict[int, int] = {}  # position in the test -> class
        for i, k in sorted(np.argwhere(wrong).tolist(), key=lambda at: sign * tested.outputs[at[0], at[1]]):
            found.setdefault(i, k)
            if len(found) == NUM_EXAMPLES:
                break
        return tuple(card(i, k) for i, k in found.items())

    def card(i: int, k: int) -> Card:
        row, name = int(tested.rows[i]), dataset.classes[k]
        carries = bool(carried[i, k])
        return Card(
            path=dataset.paths[row],
            image=thumbnail(dataset, row),
            alt=f"Picture with {dataset.label_text(row) or 'none of the classes'}",
            lines=(
                ("Truth", dataset.label_text(row).replace(";", ", ") or "none", ""),
                ("Missed" if carries else "Seen", name, "wrong"),
                ("Probability", words.percent(float(tested.outputs[i, k])), ""),
                ("Threshold", words.percent(decision.thresholds[k]), ""),
            ),
        )

    return cards(carried & ~answered, 1), cards(answered & ~carried, -1)


def title(facts: MultiFacts) -> str:
    return f"mean average precision {words.share(facts.average_precision.value)}"


def meaning(facts: MultiFacts) -> str:
    exact = facts.figures["exact_match"].value or 0.0
    return (
        f"Average precision says how well the probabilities put the pictures that carry a class before those that do "
        f"not; the mean over {len(facts.classes)} classes is shown, and an order by chance would give "
        f"{words.percent(facts.baseline)}. Of {words.pictures_of(facts, facts.split)}, "
        f"{round(exact * facts.num_samples):,} got exactly their classes; always answering what most training pictures "
        f"carry would be right for {words.percent(facts.exact_baseline)}."
    )


def cautions(facts: MultiFacts) -> list[Caution]:
    interval = facts.average_precision.interval
    found = [] if _is_point(interval) else words.small_test(facts, interval)
    if _is_point(interval):
        found.append(
            Caution(
                "The interval has no width, as every drawn test gave the same figure: so it is where a test holds no "
                "mistake. It does not mean that there are none to come."
            )
        )
    if interval is not None and interval[0] <= facts.baseline:
        found.append(
            Caution(f"The interval reaches the baseline: the order may be no better than chance, "
                    f"{words.percent(facts.baseline)}.")
        )  # fmt: skip
    found += words.few_or_none([(row.name, row.score.count) for row in facts.label_rows], facts.split)
    halves = [row.name for row in facts.label_rows if row.threshold == ONE_HALF]
    if halves:
        found.append(words.about("Too few pictures to choose a threshold on, so it is 50\u00a0%:", halves))
    return found


def _is_point(interval: tuple[float, float] | None) -> bool:
    return interval is not None and interval[0] == interval[1]


def page_values(facts: MultiFacts) -> dict[str, object]:
    return {
        "rows": weakest_first(facts.label_rows),
        "sure": facts.sureness,
        "sureness": words.sureness(facts.sureness),
        "diagram": reliability.diagram(facts.sureness.bins, "classes that are there"),
        "sets": None if facts.sets is None else words.sets_in_words(facts.sets),
    }


def weakest_first(rows: tuple[LabelRow, ...]) -> list[LabelRow]:
    """By average precision; classes that were not tested come last."""
    return sorted(rows, key=lambda r: (r.score.average_precision.value is None, r.score.average_precision.value or 0))


def card_answer(facts: MultiFacts) -> str:
    figure = facts.average_precision
    span = "" if figure.interval is None else f"95 % interval {words.span(figure.interval)}, "
    return (
        f"**Mean average precision {words.share(figure.value)} on {facts.split} pictures** "
        f"({span}{words.pictures_of(facts)}). An order by chance would give {words.percent(facts.baseline)}."
    )


def card_metrics(facts: MultiFacts) -> list[tuple[str, str, float]]:
    found = [("mean_average_precision", "Mean average precision", facts.average_precision.value)]
    found += [
        ("f1", "F1 (macro)", facts.figures["f1_macro"].value),
        ("f1", "F1 (micro)", facts.figures["f1_micro"].value),
    ]
    return [(kind, name, value) for kind, name, value in found if value is not None]


def card_table(facts: MultiFacts) -> tuple[list[str], list[list[str]]]:
    head = ["Class", "Pictures", "Average precision", "AUROC", "Threshold", "Recall", "Precision", "F1"]
    rows = []
    for row in facts.label_rows:
        s = row.score
        values = (s.average_precision.value, s.auroc.value, row.threshold, s.recall, s.precision, s.f1.value)
        rows.append([row.name, f"{s.count:,}", *map(words.share, values)])
    return head, rows


def card_mistakes(facts: MultiFacts) -> list[str]:
    return []


def card_limits(facts: MultiFacts) -> list[str]:
    return [
        f"The network knows its {len(facts.classes):,} classes alone: of anything else in a picture it says nothing.",
        words.sureness(facts.sureness),
    ]
