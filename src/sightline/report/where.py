"""Where a network fails, in words and pictures. Comes in: Slices and Gaps; goes out: lines for a terminal, and what the
page shows of them.

Must not know how slices are found, HTML or files.
"""

from collections.abc import Sequence

import numpy as np

from sightline.data.dataset import Dataset
from sightline.data.tasks import TASKS
from sightline.evaluation.evaluate import Evaluation
from sightline.evaluation.sets import AnyMeasured, LabelSetsMeasured, SetsMeasured
from sightline.report.facts import Card, Where
from sightline.report.thumbnail import thumbnail
from sightline.report.words import number
from sightline.slicing import Gap, Gaps, Of, Slice, Slices
from sightline.slicing.score import Figures, scores_of

INTERVAL = "95 % interval"
NUM_PICTURES = 4  # mistakes of the worst slice that are shown


def where(slices: Slices, tested: Evaluation, dataset: Dataset) -> Where:
    """The slices, and a few mistakes of the worst one that stands out: the largest errors, the surest answers first."""
    shown = slices.standing_out[:1]
    if not shown:
        return Where(slices, ())
    bad = scores_of(tested).bad
    sure = tested.outputs.max(axis=1) if tested.task == "single" else np.zeros(len(bad))
    order = np.lexsort((-sure, -bad))
    chosen = order[shown[0].members[order] & (bad[order] > 0)][:NUM_PICTURES]
    return Where(slices, tuple(_card(tested, dataset, int(i)) for i in chosen))


def _card(tested: Evaluation, dataset: Dataset, i: int) -> Card:
    row = int(tested.rows[i])
    truth = dataset.label_text(row)
    answer: str = TASKS.get(tested.task).written(tested.decided[i], dataset.classes)
    kind = "wrong" if tested.task == "single" else ""
    lines = (("Truth", truth, "plain" if kind else ""), ("Answer", answer, kind))
    return Card(dataset.paths[row], thumbnail(dataset, row), f"Mistaken picture of {truth}", lines)


def sentence(slices: Slices) -> str:
    """What came of the search."""
    if not slices.num_looked:
        return "No attribute tells enough pictures apart to look for slices"
    if slices.num_mistakes == 0:
        return "No mistakes, so no slice is worse than the rest"
    if not slices.standing_out:
        return f"Nothing stands out beyond chance among {slices.num_looked:,} slices"
    num = len(slices.standing_out)
    stand = "slice stands" if num == 1 else "slices stand"
    return f"{num} {stand} out beyond chance, of {slices.num_looked:,} looked at"


def lines(slices: Slices) -> list[str]:
    """For a terminal: the sentence, and the worst slices."""
    found = [f"slices: {sentence(slices)[:1].lower()}{sentence(slices)[1:]} (by {', '.join(slices.attributes)})"]
    found += [f"not looked at by {name}: {count:,} values, each of few pictures" for name, count in slices.too_many]
    if slices.worst:
        rows = [_cells(slices, one) for one in slices.worst]
        found += _aligned((slices.figure, INTERVAL, "rest", "pictures", "by chance", "slice"), rows)
    return found


def _cells(slices: Slices, one: Slice) -> tuple[str, ...]:
    is_rate = slices.num_mistakes is not None
    inside, rest = one.inside, _text(one.rest, is_rate)
    return (
        _text(inside.value, is_rate),
        _span(inside, is_rate),
        rest,
        f"{inside.count:,}",
        f"{one.corrected:.3f}",
        one.name,
    )


def gap_lines(gaps: Gaps, is_rate: bool) -> list[str]:
    """For a terminal: each figure of each value, the largest gaps, and whether chance makes them."""
    head = (*(name for of in gaps.of for name in (of.figure, INTERVAL)), "pictures", gaps.column)
    rows = []
    for v, value in enumerate(gaps.values):
        figures = [of.each[v] for of in gaps.of]
        cells = [text for one in figures for text in (("-", "") if one is None else _both(one, is_rate))]
        rows.append((*cells, f"{gaps.counts[v]:,}", value))
    return [*_aligned(head, rows), *(_gap_line(of, is_rate) for of in gaps.of)]


def _both(one: Figures, is_rate: bool) -> tuple[str, str]:
    return _text(one.value, is_rate), _span(one, is_rate)


def _gap_line(of: Of, is_rate: bool) -> str:
    if of.gap is None:
        return f"{of.figure}: too few pictures of two values to compare"
    chance = "" if of.p_equal is None else f"; so different by chance: {of.p_equal:.3f}"
    return f"{of.figure}: largest gap {_gap(of.gap, is_rate)}, {of.gap.low} against {of.gap.high}{chance}"


def _gap(gap: Gap, is_rate: bool) -> str:
    value, unit = (f"{100 * gap.value:.1f}", " points") if is_rate else (number(gap.value), "")
    if gap.interval is None:
        return value + unit
    low, high = (f"{100 * v:.1f}" if is_rate else number(v) for v in gap.interval)
    return f"{value}{unit} ({low} to {high})"


def set_lines(measured: AnyMeasured) -> list[str]:
    """For a terminal: the sets of the pictures of each class; of intervals nothing."""
    if isinstance(measured, tuple):
        return []
    rows = [
        (f"{one.coverage.value:.1%}", _ends(one.coverage.interval), f"{one.mean_size:.2f}", f"{one.count:,}", one.name)
        for one in measured.classes
    ]
    return _aligned(("held", INTERVAL, "classes a set", "pictures", "class"), rows)


def set_lines_by(gaps: Gaps, each: Sequence[AnyMeasured]) -> list[str]:
    """For a terminal: sets, or intervals, of the pictures with each value of a column."""
    rows = list[tuple[str, ...]]()
    for value, count, found in zip(gaps.values, gaps.counts, each, strict=True):
        if isinstance(found, SetsMeasured):
            coverage = found.coverage
            cells = [(f"{coverage.value:.1%}", _ends(coverage.interval), f"{found.mean_size:.2f}", value)]
        elif isinstance(found, LabelSetsMeasured):
            missed = "-" if found.missed.value is None else f"{found.missed.value:.1%}"
            cells = [(missed, _ends(found.missed.interval), f"{found.mean_size:.2f}", value)]
        else:
            cells = [
                (f"{one.coverage.value:.1%}", _ends(one.coverage.interval), number(one.mean_width, 3),
                 f"{value} {one.name}" if len(found) > 1 else value)
                for one in found
            ]  # fmt: skip
        rows += [(*first, f"{count:,}", name) for *first, name in cells]
    held = "missed" if isinstance(each[0], LabelSetsMeasured) else "held"
    size = "width" if isinstance(each[0], tuple) else "classes a set"
    return _aligned((held, INTERVAL, size, "pictures", f"{gaps.column}, sets"), rows)


def _ends(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else " to ".join(f"{end:.1%}" for end in interval)


def highest(one: Figures) -> float:
    """Up to where its bar goes."""
    return one.value if one.interval is None else one.interval[1]


def _text(value: float, is_rate: bool) -> str:
    return f"{value:.1%}" if is_rate else number(value)


def _span(one: Figures, is_rate: bool) -> str:
    if one.interval is None:
        return "one group"
    return " to ".join(_text(end, is_rate) for end in one.interval)


def _aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns to the right, the last to the left."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)][:-1]
    return [
        "  ".join([*(f"{cell:>{width}}" for cell, width in zip(row[:-1], widths, strict=True)), row[-1]])
        for row in (head, *rows)
    ]
