"""Numbers: how much of their variance is explained, how far off the answers are, where they lie."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sightline.data.dataset import Dataset
from sightline.data.tasks import Labels
from sightline.decision import AnyDecision, IntervalDecision
from sightline.evaluation.evaluate import Evaluation
from sightline.evaluation.sets import of_numbers
from sightline.metrics import Figure
from sightline.report import scatter, words
from sightline.report.facts import Card, Common, NumberFacts, ValueRow
from sightline.report.thumbnail import NUM_EXAMPLES, thumbnail
from sightline.report.words import Caution

CURVE = "R2"
NO_INTERVALS = (
    "An answer has no interval of its own, as too few pictures were there to calibrate by: the mean error holds over "
    "many pictures, not for each."
)


def headline(tested: Evaluation) -> str:
    value, interval = tested.main.value, tested.main.interval
    if value is None:
        return "R2 undefined  these numbers do not vary"
    if interval is None:
        return f"R2 {value:.3f}  no interval"
    return f"R2 {value:.3f}  95 % interval {interval[0]:.3f} to {interval[1]:.3f}"


def table(tested: Evaluation, names: tuple[str, ...]) -> list[str]:
    width = max(map(len, (*names, "number")))
    lines = [f"{'number':{width}}  {'mean abs. error':27}  {'RMSE':>9}  {'R2':>6}  Spearman"]
    each = [_figures(tested, metric) for metric in ("mae", "rmse", "r2_each", "spearman")]
    for name, mae, rmse, r2, spearman in zip(names, *each, strict=True):
        r2_text, spearman_text = ("-" if f.value is None else f"{f.value:.3f}" for f in (r2, spearman))
        lines.append(f"{name:{width}}  {_span(mae):27}  {rmse.value:9.4g}  {r2_text:>6}  {spearman_text:>8}")
    return lines


def _span(figure: Figure) -> str:
    if figure.interval is None:
        return f"{figure.value:.4g}"
    return f"{figure.value:.4g} ({figure.interval[0]:.4g} to {figure.interval[1]:.4g})"


def _figures(tested: Evaluation, metric: str) -> list[Figure]:
    return tested.figure(metric)  # type: ignore[return-value]


def predictions(tested: Evaluation, dataset: Dataset) -> tuple[tuple[str, ...], Iterable[tuple[str, ...]]]:
    rows = (
        (dataset.paths[row], *(f"{v:.10g}" for v in truth), *(f"{v:.6g}" for v in answer))
        for row, truth, answer in zip(tested.rows, tested.labels, tested.outputs, strict=True)
    )
    return ("path", *dataset.classes, *(f"predicted_{name}" for name in dataset.classes)), rows


def facts_of(
    common: Common, tested: Evaluation, dataset: Dataset, train_labels: Labels, decision: AnyDecision
) -> NumberFacts:
    medians, means = np.median(train_labels, axis=0), train_labels.mean(axis=0)
    truth, answers = tested.labels.astype(np.float64), tested.outputs
    each = [_figures(tested, metric) for metric in ("mae", "rmse", "r2_each", "spearman")]
    rows = tuple(
        ValueRow(
            name,
            mae,
            rmse,
            r2,
            spearman,
            blind_mae=float(abs(truth[:, t] - medians[t]).mean()),
            blind_rmse=float(np.sqrt(((truth[:, t] - means[t]) ** 2).mean())),
        )
        for t, (name, mae, rmse, r2, spearman) in enumerate(zip(dataset.classes, *each, strict=True))
    )
    main, sets = tested.main, decision.sets if isinstance(decision, IntervalDecision) else None
    return NumberFacts(
        **common.shared(),
        r2=Figure(main.value, main.interval),
        value_rows=rows,
        truth=truth,
        answers=answers,
        intervals=() if sets is None else of_numbers(tested, sets, dataset.classes),
        ends=() if sets is None else sets.bounds(answers),
        worst=tuple(
            replace(one, over=common.maps.get(one.path)) for one in worst(tested, dataset, train_labels.std(axis=0))
        ),
    )


def worst(tested: Evaluation, dataset: Dataset, std: NDArray[np.float64]) -> tuple[Card, ...]:
    """The answers that are furthest off, in standard deviations of the number."""
    errors = tested.outputs - tested.labels
    off = abs(errors) / std
    furthest = off.argmax(axis=1)

    def card(i: int) -> Card:
        row, t = int(tested.rows[i]), int(furthest[i])
        name = dataset.classes[t]
        return Card(
            path=dataset.paths[row],
            image=thumbnail(dataset, row),
            alt=f"Picture with {name} {tested.labels[i, t]:.4g}",
            lines=(
                *((("Number", name, ""),) if len(dataset.classes) > 1 else ()),
                ("Truth", words.number(tested.labels[i, t]), ""),
                ("Answer", words.number(tested.outputs[i, t]), "wrong"),
                ("Off by", ("+" if errors[i, t] > 0 else "\u2212") + words.number(abs(errors[i, t])), ""),
            ),
        )

    return tuple(card(int(i)) for i in np.argsort(-off.max(axis=1), kind="stable")[:NUM_EXAMPLES])


def title(facts: NumberFacts) -> str:
    if len(facts.value_rows) == 1:
        return f"off by {words.number(facts.value_rows[0].mae.value, 3)} on average"
    return "R2 undefined" if facts.r2.value is None else f"R2 {facts.r2.value:.2f}"


def meaning(facts: NumberFacts) -> str:
    tested = f"On {words.pictures_of(facts, facts.split)}"
    if len(facts.value_rows) == 1:
        row = facts.value_rows[0]
        text = f"{tested}, the answers are off by {words.number(row.mae.value, 3)} on average"
        if row.mae.interval is not None:
            text += f" (95 % interval {words.number(row.mae.interval[0], 3)} to {words.number(row.mae.interval[1], 3)})"
        text += (
            f"; always answering the median of the training pictures would be off by {words.number(row.blind_mae, 3)}."
        )
    else:
        text = f"{tested}, {len(facts.value_rows)} numbers were estimated; the table below has the errors of each."
    if facts.r2.value is None:
        return text
    share = f"{100 * max(facts.r2.value, 0):.0f}{words.PERCENT}"
    return (
        f"{text} R2 is {facts.r2.value:.2f}: the answers explain {share} of how much the numbers vary; always "
        "answering their mean explains nothing."
    )


def cautions(facts: NumberFacts) -> list[Caution]:
    interval, found = facts.r2.interval, []
    if interval is None:
        return words.small_test(facts, None)
    if facts.num_samples < words.SMALL_TEST:
        found.append(
            Caution(
                f"The test is small: {words.pictures_of(facts)}. About four times as many would halve the intervals."
            )
        )
    if interval[1] < 0:
        found.append(Caution("The network is worse than always answering the mean."))
    elif interval[0] <= 0:
        found.append(Caution("The interval reaches 0: the network may be no better than always answering the mean."))
    return found


def page_values(facts: NumberFacts) -> dict[str, object]:
    names = enumerate(facts.classes)
    return {
        "scatters": [
            scatter.scatter(name, facts.truth[:, t], facts.answers[:, t], [end[:, t] for end in facts.ends])
            for t, name in names
        ],
        "no_intervals": NO_INTERVALS,
    }


def card_answer(facts: NumberFacts) -> str:
    if len(facts.value_rows) == 1:
        row = facts.value_rows[0]
        low, high = (words.number(end, 3) for end in row.mae.interval or (np.nan, np.nan))
        return (
            f"**Off by {words.number(row.mae.value, 3)} on average on {facts.split} pictures** (95 % interval {low} to "
            f"{high}, {words.pictures_of(facts)}). Always answering the median of the training pictures "
            f"would be off by {words.number(row.blind_mae, 3)}."
        )
    r2 = "undefined" if facts.r2.value is None else f"{facts.r2.value:.2f}"
    return f"**R2 {r2} on {facts.split} pictures** ({words.pictures_of(facts)}), the mean over the numbers."


def card_metrics(facts: NumberFacts) -> list[tuple[str, str, float]]:
    found = [("r_squared", "R2", facts.r2.value)]
    found += [("mae", f"Mean absolute error, {row.name}", row.mae.value) for row in facts.value_rows]
    return [(kind, name, value) for kind, name, value in found if value is not None]


def card_table(facts: NumberFacts) -> tuple[list[str], list[list[str]]]:
    head = ["Number", "Mean absolute error", "of always the median", "RMSE", "of always the mean", "R2", "Spearman"]
    rows = []
    for row in facts.value_rows:
        values = (row.mae.value, row.blind_mae, row.rmse.value, row.blind_rmse, row.r2.value, row.spearman.value)
        rows.append([row.name, *map(words.number, values)])
    return head, rows


def card_mistakes(facts: NumberFacts) -> list[str]:
    return []


def card_limits(facts: NumberFacts) -> list[str]:
    return [
        "The network gives a number whatever it is shown, and knows only the range that it was trained on.",
        *(map(words.interval_in_words, facts.intervals) if facts.intervals else (NO_INTERVALS,)),
    ]
