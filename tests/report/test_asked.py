"""Operating points, costs and trees in words, and the drawing of a ROC curve; hostile names stay text."""

import dataclasses

import numpy as np
import pytest

from sightline.metrics import Figure
from sightline.metrics.hierarchy import Hierarchy, Level
from sightline.metrics.operating_point import OperatingPoint, Point
from sightline.metrics.roc import Roc
from sightline.report import asked, render_card, render_report, roc
from sightline.report.results import single
from sightline.report.scatter import BOTTOM, LEFT, RIGHT, SIDE, TOP

from .conftest import MakeFacts

HOSTILE = "<b>|lung|</b>"
HALF, FOUND = Figure(0.5, (0.4, 0.6)), Figure(0.931, (0.882, 0.96))
POINT = OperatingPoint(
    HOSTILE, "specificity", 0.95, Point(0.713, FOUND, Figure(0.94, (0.9, 0.97)), 121),
    Point(0.8, FOUND, Figure(0.951, None), 234), Point(0.5, HALF, HALF, 0), 19,
)  # fmt: skip
CURVE = Roc([1.0, 0.9, 0.5, 0.0], [0.0, 0.5, 0.9, 1.0], [0.0, 0.0, 0.2, 1.0])


def test_what_is_found_in_a_sentence() -> None:
    text = asked.point_in_short(POINT).replace("\u00a0", " ")
    assert text == f"At 95 % specificity it finds 93.1 % (95 % interval 88.2 to 96.0 %) of {HOSTILE}."
    other = dataclasses.replace(POINT, fixed="sensitivity", at=0.975)
    assert "Where it finds 97.5" in asked.point_in_short(other)
    assert asked.point_in_short(dataclasses.replace(POINT, on_curve=None)) == ""


def test_thresholds_say_who_chose_them() -> None:
    curve, chosen = asked.point_in_words(POINT)
    assert "these very pictures" in curve and "80.00" in curve
    assert "In use: from 71.30" in chosen and "121 calibration pictures of the other class" in chosen
    assert "takes 19 calibration" in asked.point_in_words(dataclasses.replace(POINT, transferred=None))[1]


@pytest.mark.parametrize(("high", "is_broken"), [(0.96, False), (0.95, False), (0.94, True)])
def test_a_threshold_that_does_not_keep_its_rate_is_a_caution(
    high: float, is_broken: bool, make_facts: MakeFacts
) -> None:
    chosen = Point(0.7, FOUND, Figure(0.9, (0.8, high)), 121)
    facts = make_facts(("other", HOSTILE), operating_point=dataclasses.replace(POINT, transferred=chosen), roc=CURVE)
    assert any("calibration pictures chose" in one.text for one in single.cautions(facts)) == is_broken


def test_the_page_and_the_card_hold_it_as_text(make_facts: MakeFacts) -> None:
    tree = Hierarchy([Level(1, HALF), Level(2, FOUND)], Figure(1.5, (1.2, 1.8)), 2)
    facts = make_facts(("other", HOSTILE), operating_point=POINT, roc=CURVE, tree=tree)
    page, card = render_report(facts), render_card(facts)
    assert "<b>|lung" not in page and "&lt;b&gt;|lung|&lt;/b&gt;" in page and "<b>|lung" not in card
    assert "Level 2, 2 classes" in page and 'href="#finding"' in page
    plain = render_report(make_facts())
    assert 'id="finding"' not in plain and "By level" not in plain


def test_the_corners_of_the_curve() -> None:
    drawn = roc.drawn(CURVE, POINT)
    points = [tuple(map(float, pair.split(","))) for pair in drawn.path.split()]
    assert points[0] == (LEFT, SIDE - BOTTOM) and points[-1] == (SIDE - RIGHT, TOP)
    assert drawn.chosen is not None and drawn.chosen.ends[0] < drawn.chosen.x < drawn.chosen.ends[1]
    assert drawn.chosen.ends[2] < drawn.chosen.y < drawn.chosen.ends[3]
    assert "10\u00a0% false alarms: 50.0\u00a0% found" in drawn.summary
    assert roc.drawn(CURVE, dataclasses.replace(POINT, transferred=None)).chosen is None


def test_costs_have_their_numbers() -> None:
    from sightline.metrics import METRICS, Asked, Sample

    outputs = np.array([[0.6, 0.4], [0.8, 0.2]])
    costs = np.array([[0.0, 1.0], [9.0, 0.0]])
    found = METRICS.get("costs").measure(
        Sample(outputs, np.array([1, 0]), np.zeros(2, int), None, Asked(("a", "b"), costs=costs))
    )
    lines = asked.costs_in_words(found)
    assert "Mean cost 4.5 (" in lines[0] and "another one for 2 pictures: 0.5" in lines[1] and "Always b" in lines[2]
