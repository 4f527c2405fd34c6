"""The page of a learning curve. Comes in: a Curve; goes out: one HTML file's text."""

from datetime import UTC, datetime

import numpy as np

from sightline import __version__
from sightline.growth.figures import Curve
from sightline.growth.forecast import TIMES, Verdict
from sightline.growth.words import headline, range_of, sentences, share_of, value_of
from sightline.report.curve_facts import CurveFacts, CurveRow, Dot
from sightline.report.page import render_curve

NUM_DRAWN = 60  # places of the fitted line
FIGURES = {"accuracy": "Accuracy", "mean_average_precision": "Mean average precision", "r2": "R2"}
ERRORS = {
    "accuracy": "Wrong answers",
    "mean_average_precision": "What mean average precision lacks",
    "r2": "Variance that is not explained",
}


def page(curve: Curve) -> str:
    """The whole page."""
    return render_curve(_facts(curve))


def is_extended(curve: Curve) -> bool:
    """Whether what lies beyond the measured points is worth showing."""
    return curve.forecast.verdict in (Verdict.HELPS, Verdict.FLAT)


def rows(curve: Curve) -> list[CurveRow]:
    """The table: what was measured, and what is expected."""
    found = [
        CurveRow(share_of(p), f"{p.num:,}", value_of(curve, p.value), range_of(curve, *p.interval), False)
        for p in curve.points
    ]
    if is_extended(curve):
        for times, at in zip(TIMES, curve.forecast.at, strict=True):
            span = range_of(curve, 1 - at.interval[1], 1 - at.interval[0])
            found.append(CurveRow(f"{times} times", f"{at.num:,}", value_of(curve, 1 - at.error), span, True))
    return found


def _facts(curve: Curve) -> CurveFacts:
    said, nums = sentences(curve), np.geomspace(curve.points[0].num, TIMES[-1] * curve.best.num, NUM_DRAWN)
    nums = np.sort(np.append(nums, curve.best.num))  # where the line begins to be dashed
    law = None
    if is_extended(curve):
        middle, low, high = (tuple(values.tolist()) for values in curve.forecast.around(nums))
        law = (middle, low, high)
    return CurveFacts(
        title=curve.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        version=__version__,
        headline=headline(curve),
        lead=tuple(said if curve.forecast.verdict is Verdict.HELPS else said[1:]),
        figure=FIGURES[curve.figure],
        error=ERRORS[curve.figure],
        rows=tuple(rows(curve)),
        dots=tuple(Dot(p.num, 1 - p.value, 1 - p.interval[1], 1 - p.interval[0]) for p in curve.points),
        law_nums=tuple(nums.tolist()),
        law=law,
        is_share=curve.task != "number",
        num_test=curve.num_test,
        what=curve.what,
        how=_how(curve),
        notes=curve.notes,
        duration_s=curve.duration_s,
    )


def _how(curve: Curve) -> str:
    laws = curve.forecast.laws
    low, middle, high = np.quantile(laws.exponent, (0.025, 0.5, 0.975))
    return (
        "Each part holds the one before, every class in its share, groups whole. The line is a power law, error(n) = a "
        f"n^-b + c, fitted anew for each of {len(laws.exponent):,} tests that might have been, through all points or "
        f"without one, with and without a floor c; b is {middle:.2f} ({low:.2f} to {high:.2f}). One training a part: "
        "what another seed, or other pictures of the same number, would give is in no interval."
    )
