"""What a learning curve says, as sentences. Comes in: a Curve; goes out: text for people who are no experts."""

from fractions import Fraction

from sightline.growth.figures import Curve, Point
from sightline.growth.forecast import MIN_UNITS, TIMES, Extended, Verdict
from sightline.report.words import PERCENT, number, percent

AS_OFTEN = {2: "twice as many", 4: "four times as many"}
NAMES = {"accuracy": "an accuracy", "mean_average_precision": "a mean average precision", "r2": "an R2"}


def headline(curve: Curve) -> str:
    """The answer in a few words."""
    match curve.forecast.verdict:
        case Verdict.HELPS:
            return "More pictures would help"
        case Verdict.FLAT:
            return "More pictures like these would bring nothing that this test could show"
        case _:
            return "This test cannot say what more pictures would bring"


def sentences(curve: Curve) -> list[str]:
    """What more pictures would bring, and why that is said."""
    match curve.forecast.verdict:
        case Verdict.HELPS:
            return [_helps(curve), *_hidden(curve)]
        case Verdict.FLAT:
            return [f"{headline(curve)}.", _flat(curve)]
        case _:
            return [f"{headline(curve)}.", _unclear(curve)]


def _helps(curve: Curve) -> str:
    twice, four = (_expected(curve, times, at) for times, at in zip(TIMES, curve.forecast.at, strict=True))
    now = value_of(curve, curve.best.value)
    return f"With {twice.replace(':', f' expect {NAMES[curve.figure]} of', 1)} in place of {now}; {four}."


def _hidden(curve: Curve) -> list[str]:
    """Where the gain is one that this test could not tell from chance."""
    found = curve.forecast
    if found.gain > found.visible:
        return []
    return [
        f"This test could not show it: differences below {size_of(curve, found.visible)} are chance on "
        f"{curve.num_test:,} test pictures."
    ]


def _expected(curve: Curve, times: int, at: Extended) -> str:
    low, high = 1 - at.interval[1], 1 - at.interval[0]
    pictures = (
        f"{AS_OFTEN[times]} pictures ({at.num:,} to train)" if times == TIMES[0] else f"{AS_OFTEN[times]} ({at.num:,})"
    )
    return f"{pictures}: {value_of(curve, 1 - at.error)} ({range_of(curve, low, high)})"


def _flat(curve: Curve) -> str:
    found, first, last = curve.forecast, curve.points[0], curve.best
    if not found.has_fallen:
        return (
            f"From {first.num:,} to {last.num:,} pictures the figure has not risen by more than chance: "
            f"{value_of(curve, first.value)}, then {value_of(curve, last.value)}."
        )
    return (
        f"It has risen, and levels off: four times as many would add about {size_of(curve, max(found.gain, 0.0))}, and "
        f"differences below {size_of(curve, found.visible)} are chance on {curve.num_test:,} test pictures."
    )


def _unclear(curve: Curve) -> str:
    at = curve.forecast.rises_at
    if curve.forecast.verdict is Verdict.FEW or at is None:
        return (
            f"There are {curve.num_test:,} test pictures, and at least {MIN_UNITS} that stand for themselves (of "
            "groups one each) are needed: add some, or test on a larger part of all (--fold 1/3)."
        )
    before, after = curve.points[at - 1], curve.points[at]
    return (
        f"From {before.num:,} to {after.num:,} pictures the figure falls, from {value_of(curve, before.value)} to "
        f"{value_of(curve, after.value)}, by more than chance of the test: it follows no law that could be extended. "
        "Labels that contradict each other, or a training that now and then fails, do that (sightline check)."
    )


def value_of(curve: Curve, value: float) -> str:
    """The figure in its own way: R2 is no percentage."""
    return f"{value:.3f}" if curve.task == "number" else percent(value)


def range_of(curve: Curve, low: float, high: float) -> str:
    """Two ends of an interval."""
    if curve.task == "number":
        return f"{low:.3f} to {high:.3f}"
    return f"{100 * low:.1f} to {100 * high:.1f}{PERCENT}"


def size_of(curve: Curve, size: float) -> str:
    """A difference of two figures."""
    return number(size, 2) if curve.task == "number" else f"{100 * size:.1f} points"


def share_of(point: Point) -> str:
    """`1/8`, or `all`."""
    return "all" if point.share == 1 else str(Fraction(point.share))
