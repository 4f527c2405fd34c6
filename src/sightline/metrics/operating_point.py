"""How many of the positive pictures are found while so many of the others stay unnamed, or the other way about.

Of two classes. A picture is named positive where its probability of that class reaches a threshold. `transferred`: the
threshold was chosen on calibration pictures, as it must be in use, and only measured here. `on_curve`: the threshold
that these very pictures would have chosen, on their own ROC curve; it flatters a little. `as_answered`: one half.
"""

from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

from sightline.metrics import _bootstrap
from sightline.metrics._interval import Z95, rate
from sightline.metrics._sample import Figure, Sample

TASK = "single"
ROUNDING = 1e-9  # pictures


@dataclass(frozen=True)
class Point:
    """What comes of a threshold; `num`: pictures that it was chosen by, of the class whose rate is asked for."""

    threshold: float
    sensitivity: Figure
    specificity: Figure
    num: int


@dataclass(frozen=True)
class OperatingPoint:
    """`positive`: the class to be found; `fixed`, `at`: the rate that is asked for.

    transferred  None where the run keeps no calibration pictures, or too few of a class to choose by: `num_needed`
    on_curve     None where one of the classes was not tested
    """

    positive: str
    fixed: str
    at: float
    transferred: Point | None
    on_curve: Point | None
    as_answered: Point
    num_needed: int


def measure(sample: Sample) -> OperatingPoint | None:
    """None where there are not two classes."""
    asked = sample.asked
    if sample.outputs.shape[1] != 2:
        return None
    scores, is_positive = sample.outputs[:, asked.positive], np.asarray(sample.labels == asked.positive)
    transferred = on_curve = None
    if asked.calibration is not None:
        labels, known = asked.calibration
        chosen = threshold_at(known, np.asarray(labels == asked.positive), asked.fixed, asked.at, one_more=True)
        if chosen is not None:
            transferred = _point(sample, chosen[0], chosen[1])
    if is_positive.any() and not is_positive.all():
        on_curve = _on_curve(sample, scores, is_positive)
    needed = ceil(asked.at / (1 - asked.at) - ROUNDING)
    as_answered = _rates(sample, np.asarray(sample.decided == asked.positive), 0.5, 0)
    return OperatingPoint(asked.name(asked.positive), asked.fixed, asked.at, transferred, on_curve, as_answered, needed)


def threshold_at(
    scores: NDArray[np.float64], is_positive: NDArray[np.bool_], fixed: str, at: float, one_more: bool = False
) -> tuple[float, int] | None:
    """The threshold with the most of the other rate at which `fixed` is at least `at`, and by how many pictures.

    scores, is_positive (n,). `one_more`: so that this holds of the next picture too, on average (as sets of classes:
    the place is that among one picture more); None where there are too few pictures for that, or none.
    """
    of = is_positive if fixed == "sensitivity" else ~is_positive
    ordered = np.sort(scores[of])
    place = ceil((len(ordered) + one_more) * at - ROUNDING)
    if not 0 < place <= len(ordered):
        return None
    if fixed == "specificity":
        last = ordered[place - 1]
        above = scores[scores > last]
        return (_between(last, above.min()) if len(above) else float(np.nextafter(last, 2))), len(ordered)
    first = ordered[len(ordered) - place]
    below = scores[scores < first]
    return (_between(below.max(), first) if len(below) else float(first)), len(ordered)


def _between(below: float, above: float) -> float:
    middle = float((below + above) / 2)
    return middle if middle > below else float(above)


def _point(sample: Sample, threshold: float, num: int) -> Point:
    return _rates(sample, np.asarray(sample.outputs[:, sample.asked.positive] >= threshold), threshold, num)


def _rates(sample: Sample, named: NDArray[np.bool_], threshold: float, num: int) -> Point:
    """Both rates of a rule that was fixed beforehand, `named` (N,)."""

    def share(of: NDArray[np.bool_], hits: NDArray[np.bool_]) -> Figure:
        return rate(hits[of], sample.groups_of(of)) if of.any() else Figure(None, None)

    is_positive = np.asarray(sample.labels == sample.asked.positive)
    return Point(threshold, share(is_positive, named), share(~is_positive, ~named), num)


def _on_curve(sample: Sample, scores: NDArray[np.float64], is_positive: NDArray[np.bool_]) -> Point:
    """The point of the test's own curve. The other rate's interval is by drawing the pictures anew, threshold and all,
    with two pictures of each kind added (Zhou and Qin, 2005, BTII), and no narrower than that of a rate."""
    asked = sample.asked
    is_by_negatives = asked.fixed == "specificity"
    chosen = threshold_at(scores, is_positive, asked.fixed, asked.at)
    assert chosen is not None
    plain = _point(sample, *chosen)
    of, others = (~is_positive, is_positive) if is_by_negatives else (is_positive, ~is_positive)
    drawn = _bootstrap.draws(
        sample, _others_at(scores if is_by_negatives else -scores, of, others, asked.at), _bootstrap.FEWER_DRAWS
    )
    other = plain.sensitivity if is_by_negatives else plain.specificity
    assert other.value is not None and other.interval is not None
    centre, num = float(np.nanmean(drawn)), int(others.sum()) + Z95**2
    half = Z95 * max(float(np.nanstd(drawn)), sqrt(centre * (1 - centre) / num))
    low, high = min(centre - half, *other.interval), max(centre + half, *other.interval)
    found = Figure(other.value, (max(low, 0.0), min(high, 1.0)))
    fixed = Figure((plain.specificity if is_by_negatives else plain.sensitivity).value, None)
    return Point(plain.threshold, *((found, fixed) if is_by_negatives else (fixed, found)), plain.num)


def _others_at(
    scores: NDArray[np.float64], of: NDArray[np.bool_], others: NDArray[np.bool_], at: float
) -> _bootstrap.Statistic:
    """Of draws: the share of `others` that score above the threshold at which no more than 1 - at of `of` do."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)

    def found(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """(B, N) -> (B, 1), NaN where nothing of one kind is drawn."""
        named = (weights[:, order] * of[order]).cumsum(axis=1)  # (B, N)
        hits = (weights[:, order] * others[order]).cumsum(axis=1)
        num_of, num = named[:, -1:], hits[:, -1:]
        steps = (named[:, ends] <= (1 - at) * num_of + ROUNDING).sum(axis=1, keepdims=True)  # (B, 1)
        reached = np.take_along_axis(hits, ends[np.maximum(steps - 1, 0)], axis=1) * (steps > 0)
        share = (reached + Z95**2 / 2) / (num + Z95**2)
        return np.asarray(np.where((num > 0) & (num_of > 0), share, np.nan))

    return found
