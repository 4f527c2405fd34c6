"""Figures as words. Comes in: Facts and numbers; goes out: plain sentences for people who are no experts.

Must not know HTML, Markdown or Jinja2: whoever prints a sentence escapes it.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.evaluation.abstention import AbstentionMeasured
from sightline.evaluation.sets import AnyMeasured, IntervalsMeasured, LabelSetsMeasured, SetsMeasured
from sightline.evaluation.strangers import StrangersMeasured
from sightline.report.facts import Common, Epoch, Facts, Sureness, UnknownFacts

FEW_PICTURES = 10  # below this, one picture more or less moves a class's recall by over ten points
SMALL_TEST = 100  # pictures; around here a 95 % interval spans 12 to 20 points
WIDE_INTERVAL = 0.10
NAMES_SHOWN = 12
PERCENT = "\u00a0%"  # a number and its sign stay on one line

# Controls but tab and newline, and non-characters, may stand in no HTML or YAML file; lone surrogates
# (undecodable file names) cannot be written as UTF-8 at all; marks that reverse text make names lie.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]")


def printable(text: str) -> str:
    r"""`text` with the characters that no page should hold written as escapes (`\udce9`)."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def percent(share: float, places: int = 1) -> str:
    """`0.832` -> `83.2 %`. A share below 1 never reads as 100 %, one above 0 never as 0 %."""
    return _points(share, places) + PERCENT


def asked(share: float) -> str:
    """A rate that was asked for, with as many places as it needs: `90 %`, `97.5 %`."""
    return percent(share, next(n for n in range(6) if n == 5 or abs(share - round(share, 2 + n)) < 1e-9))


def _points(share: float, places: int = 1) -> str:
    text, least = f"{100 * share:.{places}f}", 10.0**-places
    if 0 < share < 1 and float(text) in (0, 100):
        return f"< {least:g}" if share < 0.5 else f"> {100 - least:g}"
    return text


def share(value: float | None) -> str:
    """A percentage, or a dash where it is undefined."""
    return "–" if value is None else percent(value)


def figure_text(value: float, figure: str) -> str:
    """A task's figure: R2 is no percentage, for it may lie below 0."""
    return f"{value:.2f}" if figure == "R2" else percent(value)


def number(value: float | None, digits: int = 4) -> str:
    """`0.12346` -> `0.1235`, `123456.7` -> `123,500`: the digits that count, without an exponent where it is read."""
    if value is None or not math.isfinite(value):
        return "–"
    rounded = float(f"{value:.{digits}g}")
    if rounded and not 1e-4 <= abs(rounded) < 1e9:
        return f"{rounded:g}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(rounded)))) if rounded else 0
    text = f"{rounded:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def lower(name: str) -> str:
    """`Mean average precision` -> `mean average precision`; `R2` stays."""
    return name if name[1:2].isdigit() else name[:1].lower() + name[1:]


def span(interval: tuple[float, float]) -> str:
    """`(0.775, 0.879)` -> `77.5 to 87.9 %`."""
    return f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}{PERCENT}"


def pictures(count: int, kind: str = "", groups: int | None = None) -> str:
    """`1 picture`, `1,037 test pictures`, `1,037 pictures in 24 groups`."""
    text = f"{count:,} {kind + ' ' if kind else ''}picture{'' if count == 1 else 's'}"
    return text if groups is None else f"{text} in {groups:,} group{'' if groups == 1 else 's'}"


def pictures_of(facts: Common, kind: str = "") -> str:
    """How many pictures were tested, and of how many groups."""
    return pictures(facts.num_samples, kind, facts.num_groups)


def duration(seconds: float) -> str:
    """`252.3` -> `4 min 12 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {whole % 60:02d} s" if minutes else f"{whole} s"


def meaning(facts: Facts) -> str:
    """What the accuracy and its interval say, in two sentences."""
    low, high = (f"{100 * end:.1f}" for end in facts.interval)
    return (
        f"Of {pictures_of(facts, facts.split)} the network named the right class for "
        f"{facts.num_right:,}. On new pictures of the same kind, expect between {low} and {high} of every "
        f"100 to be right; the test cannot tell more exactly than that."
    )


@dataclass(frozen=True)
class Caution:
    """A warning; `names` are the classes that it is about, `num_more` those left out of the list."""

    text: str
    names: tuple[str, ...] = ()
    num_more: int = 0


def cautions(facts: Facts) -> list[Caution]:
    """What a reader must know before believing the figures; empty for a large, clear test."""
    found = [*small_test(facts, facts.interval), *_near_baseline(facts)]
    found += few_or_none([(row.name, row.count) for row in facts.class_rows], facts.split)
    return found + shifted(facts.sureness)


def shifted(sure: Sureness) -> list[Caution]:
    """Whether calibration has made the probabilities worse on the test, beyond chance."""
    ece, before = sure.ece, sure.before["ece"]
    if not sure.is_calibrated or ece.value is None or ece.interval is None or before is None:
        return []
    if ece.interval[0] <= 0 or before >= ece.value:
        return []
    return [
        Caution(
            f"Calibration does not hold on the test: a probability is {100 * ece.value:.1f} points off, "
            f"{100 * before:.1f} without it. Its pictures are not like those that calibrated."
        )
    ]


def few_or_none(counts: Sequence[tuple[str, int]], split: str) -> list[Caution]:
    """Classes that hardly any, or no, picture of the split was tested of."""
    few = [name for name, count in counts if 0 < count < FEW_PICTURES]
    none = [name for name, count in counts if count == 0]
    found = []
    if few:
        noun = "1 class has" if len(few) == 1 else f"{len(few)} classes have"
        text = f"{noun} fewer than {FEW_PICTURES} {split} pictures, so their own figures say little:"
        found.append(about(text.replace("their own", "its own") if len(few) == 1 else text, few))
    if none:
        noun = "1 class has" if len(none) == 1 else f"{len(none)} classes have"
        found.append(about(f"{noun} no {split} picture at all, so nothing was measured for:", none))
    return found


def about(text: str, names: Sequence[str]) -> Caution:
    """A caution that names classes, as many as fit."""
    shown = tuple(names[:NAMES_SHOWN])
    return Caution(text, shown, len(names) - len(shown))


def small_test(facts: Common, interval: tuple[float, float] | None) -> list[Caution]:
    """Whether a share, with its interval, was measured on too few pictures."""
    if interval is None and facts.num_groups == 1:
        return [Caution("All test pictures are of one group: how far the figures hold for others is not known.")]
    if interval is None:
        return [Caution("The test pictures do not suffice to measure anything.")]
    width = interval[1] - interval[0]
    if facts.num_samples >= SMALL_TEST and width <= WIDE_INTERVAL:
        return []
    return [
        Caution(
            f"The test is small: {pictures_of(facts)} leave an interval {100 * width:.1f} points wide. About four "
            f"times as many {'' if facts.num_groups is None else 'groups '}would halve it."
        )
    ]


def _near_baseline(facts: Facts) -> list[Caution]:
    low, high = facts.interval
    if low > facts.baseline:
        return []
    always = f"always answering the commonest class, which is right for {percent(facts.baseline)}"
    if high < facts.baseline:
        return [Caution(f"The network is worse than {always}.")]
    return [Caution(f"The interval reaches the baseline: the network may be no better than {always}.")]


def sureness(sure: Sureness) -> str:
    """Whether probabilities can be taken for odds."""
    off = f"on average {100 * (sure.ece.value or 0.0):.1f} points off"
    if sure.ece.interval is not None:
        low, high = sure.ece.interval
        off += f" (95 % interval {100 * low:.1f} to {100 * high:.1f})"
    if not sure.is_calibrated:
        return f"Its probabilities are not calibrated ({sure.calibration}); on the test they are {off}."
    over = "for each class by itself" if sure.labels else "over all classes together"
    return f"Its probabilities are calibrated {over}, for pictures like those tested: {off} on them."


def sets_in_words(sets: AnyMeasured) -> str:
    """What sets or intervals promise, and what came of it on the test."""
    if isinstance(sets, SetsMeasured):
        return _of_one_class(sets)
    return _of_several(sets) if isinstance(sets, LabelSetsMeasured) else "\n".join(map(interval_in_words, sets))


def _of_one_class(sets: SetsMeasured) -> str:
    worst = min(sets.classes, key=lambda one: one.coverage.value)
    return (
        f"Sets that are to hold the right class of {asked(1 - sets.error)} of pictures ({sets.method}, by "
        f"{pictures(sets.num)}): they held it for {percent(sets.coverage.value)} (95 % interval "
        f"{span(sets.coverage.interval)}), name {sets.mean_size:.2f} classes on average, and one alone for "
        f"{percent(sets.share_single)}. Least covered: {worst.name}, {percent(worst.coverage.value)}."
    )


def _of_several(sets: LabelSetsMeasured) -> str:
    whose = " of the pictures with each class" if sets.by_class else " of a picture's classes on average"
    text = f"Sets that are to miss at most {asked(sets.error)}{whose} (by {pictures(sets.num)} that carry any): "
    if sets.missed.value is None:
        return f"{text}no tested picture carries a class. They name {sets.mean_size:.2f} classes on average."
    text += f"they missed {percent(sets.missed.value)} of them"
    if sets.missed.interval is not None:
        text += f" (95 % interval {span(sets.missed.interval)})"
    worst = min(sets.classes, key=lambda one: one.coverage.value)
    return (
        f"{text}, and name {sets.mean_size:.2f} classes on average, where pictures carry {sets.mean_carried:.2f}. "
        f"Missed most: {worst.name}, in the sets of {percent(worst.coverage.value)} of its pictures."
    )


def interval_in_words(one: IntervalsMeasured) -> str:
    """What the intervals of a number promise, and what came of it on the test."""
    how = "wider where answers were further off" if one.is_scaled else "as wide for each answer"
    each = (f"{number(q.low, 3)} to {number(q.high, 3)}: {percent(q.coverage.value)}" for q in one.quarters)
    return (
        f"{one.name}: intervals that are to hold the true number of {asked(1 - one.error)} of pictures (by "
        f"{pictures(one.num)}; {how}): they held it for {percent(one.coverage.value)} (95 % interval "
        f"{span(one.coverage.interval)}) and are {number(one.mean_width, 3)} wide on average. By quarters of the "
        f"answers: {', '.join(each)}."
    )


def abstention_in_words(found: AbstentionMeasured) -> str:
    """What giving only the surer answers promises, and what came of it on the test."""
    text = (
        f"Only answers of {percent(found.threshold)} and more, for {asked(found.error)} wrong ones among them: "
        f"{percent(found.answered.value)} of pictures are answered (95 % interval {span(found.answered.interval)})"
    )
    if found.wrong is None:
        return text
    return f"{text}, {percent(found.wrong.value)} of these wrongly ({span(found.wrong.interval)})"


METHODS = {
    "combined": "how sure its answer is, and how far its features, and its brightness, contrast, edges and colours, "
    "are from those of pictures that trained",
    "knn_pixels": "how far its features, and its brightness, contrast, edges and colours, are from those of pictures "
    "that trained",
    "knn": "how far its features are from those of the pictures that trained (k nearest neighbours)",
    "vim": "what of its features those of training do not span (ViM)",
    "energy": "how large its logits are (energy)",
    "msp": "how probable its most probable class is (MSP)",
}


def unknown_in_words(unknown: UnknownFacts) -> str:
    """What is promised of known pictures, and what came of it on the test."""
    return (
        f"A picture is called unknown by {METHODS[unknown.method]}. Of pictures of the known kind at most "
        f"{percent(unknown.rate, 0)} may be called so, by {pictures(unknown.num)} of that kind; of the test "
        f"pictures {percent(unknown.called.value)} were (95 % interval {span(unknown.called.interval)})."
    )


def strangers_in_words(found: StrangersMeasured) -> str:
    """How many pictures of something else were called unknown, and how well they are told."""
    assert found.auroc.value is not None and found.auroc.interval is not None  # of pictures of both kinds
    return (
        f"unknown: {percent(found.called.value)} of {pictures(found.num)} of {found.path} (95 % interval "
        f"{span(found.called.interval)}); of pairs with a known picture the stranger is found in "
        f"{percent(found.auroc.value)} ({span(found.auroc.interval)})"
    )


@dataclass(frozen=True)
class Confusion:
    """`count` of the `total` pictures of class `truth` were taken for `predicted`."""

    truth: str
    predicted: str
    count: int
    total: int


def most_confused(matrix: NDArray[np.int64], classes: Sequence[str], num_shown: int) -> list[Confusion]:
    """The pairs with the most pictures, of equal counts the larger share first. `matrix` is (K, K)."""
    totals = matrix.sum(axis=1)  # (K, K) -> (K,)
    truths, answers = np.nonzero(matrix * (1 - np.eye(len(matrix), dtype=np.int64)))
    counts = matrix[truths, answers]
    order = np.lexsort((-counts / totals[truths], -counts))[:num_shown]
    return [Confusion(classes[truths[i]], classes[answers[i]], int(counts[i]), int(totals[truths[i]])) for i in order]


def learning(history: Sequence[Epoch], figure: str = "Accuracy") -> str:
    """How the training went, in a sentence or two; `figure`: what the task's is called."""
    if not history:
        return "No epoch was recorded, so there is nothing to draw."
    if history[-1].epoch == 0:
        return "Only the head was fitted, so there is nothing to draw."
    noun = "1 epoch" if len(history) == 1 else f"{len(history):,} epochs"
    text = f"{noun} in {duration(sum(epoch.seconds for epoch in history))}."
    scored = [(epoch.val_figure, -epoch.epoch) for epoch in history if epoch.val_figure is not None]
    if scored:
        best, number = max(scored)
        text += f" Validation {lower(figure)} was highest after epoch {-number}: {figure_text(best, figure)}."
    return text
