"""What was asked of a test besides, as sentences. Comes in: an operating point, costs, a tree; goes out: text.

Must not know HTML, Markdown or Jinja2: whoever prints a sentence escapes it.
"""

from sightline.metrics import Figure
from sightline.metrics.costs import Costs
from sightline.metrics.hierarchy import Hierarchy
from sightline.metrics.operating_point import OperatingPoint
from sightline.report import words

LONGEST_NAME = 60  # characters of a class in a sentence


def point_in_short(asked: OperatingPoint) -> str:
    """What is found, by the ROC curve, for people who are no experts; empty where nothing could be measured."""
    if asked.on_curve is None:
        return ""
    at, name, point = words.asked(asked.at), _name(asked.positive), asked.on_curve
    if asked.fixed == "specificity":
        return f"At {at} specificity it finds {_with_interval(point.sensitivity)} of {name}."
    return f"Where it finds {at} of {name} its specificity is {_with_interval(point.specificity)}."


def point_in_words(asked: OperatingPoint) -> list[str]:
    """The thresholds: of that, which the test itself chose, and of one that was chosen beforehand."""
    at, said = _rate(asked), list[str]()
    if asked.on_curve is not None:
        said.append(
            f"That is on the ROC curve of these very pictures, whose own threshold for {at} is a probability of "
            f"{words.percent(asked.on_curve.threshold, 2)}; it flatters a little."
        )
    if asked.transferred is not None:
        point = asked.transferred
        of = "pictures of the other class" if asked.fixed == "specificity" else "pictures of it"
        said.append(
            f"In use: from {words.percent(point.threshold, 2)} on, as {point.num:,} calibration {of} chose for {at}, "
            f"sensitivity {_with_interval(point.sensitivity)}, specificity {_with_interval(point.specificity)}."
        )
    else:
        of = "of it" if asked.fixed == "sensitivity" else "of the other class"
        said.append(
            f"For use no threshold was chosen: that takes {asked.num_needed:,} calibration pictures {of}, which the "
            "run has not kept."
        )
    return said


def broken_promise(asked: OperatingPoint) -> str:
    """Where a threshold that was chosen beforehand does not keep its rate on the test; else empty."""
    point = asked.transferred
    kept = None if point is None else point.specificity if asked.fixed == "specificity" else point.sensitivity
    if kept is None or kept.value is None or kept.interval is None or kept.interval[1] >= asked.at:
        return ""
    return (
        f"The threshold that calibration pictures chose for {_rate(asked)} has {words.percent(kept.value)} on the "
        "test, whose pictures are not like those. Choose one on pictures like yours."
    )


def costs_in_words(costs: Costs) -> list[str]:
    """The mean cost of the answers, and what others would cost."""
    changed = "1 picture" if costs.num_changed == 1 else f"{costs.num_changed:,} pictures"
    return [
        f"Mean cost {_number(costs.as_answered)}, each picture answered by its most probable class.",
        f"By the class of least expected cost, another one for {changed}: {_number(costs.least_expected)}.",
        f"Always {_name(costs.always_class)}, the single class that costs least here: {_number(costs.always)}.",
    ]


def tree_in_words(tree: Hierarchy) -> list[str]:
    """How many are right at each level, and how far off mistakes are."""
    said = [
        f"Level {i}, {level.num_classes:,} {'class' if level.num_classes == 1 else 'classes'}: "
        f"{_with_interval(level.accuracy)} right."
        for i, level in enumerate(tree.levels, start=1)
    ]
    if tree.mistake_distance.value is not None:
        said.append(
            f"A mistake is {_number(tree.mistake_distance, 2)} levels off on average; 1 is beside the truth, "
            f"{tree.height} as far as can be."
        )
    return said


def _rate(asked: OperatingPoint) -> str:
    return f"{words.asked(asked.at)} {asked.fixed}"


def _with_interval(figure: Figure) -> str:
    if figure.value is None:
        return "–"
    interval = "" if figure.interval is None else f" (95{words.PERCENT} interval {words.span(figure.interval)})"
    return words.percent(figure.value) + interval


def _number(figure: Figure, digits: int = 4) -> str:
    assert figure.value is not None
    interval = ""
    if figure.interval is not None:
        low, high = (words.number(end, digits) for end in figure.interval)
        interval = f" (95{words.PERCENT} interval {low} to {high})"
    return words.number(figure.value, digits) + interval


def _name(text: str) -> str:
    return text if len(text) <= LONGEST_NAME else text[:LONGEST_NAME] + "…"
