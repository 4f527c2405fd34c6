"""The page of a run's robustness: figures appear, charts stay in their frame, nothing hostile gets through."""

import dataclasses
import re

import pytest

from sightline.report import chart
from sightline.report.page import render_robustness
from sightline.report.robustness_facts import RobustnessFacts, Row, Shares, Thumb, share_chart

from .conftest import thumbnail
from .test_page import HOSTILE, Page


def _row(name: str, *shares: float) -> Row:
    shown = tuple(Thumb(thumbnail(), severity, "cat", severity < 3) for severity in (1, 3, 5))
    lost = tuple(1 - share for share in shares)
    return Row(name, f"what {name} is", shares, lost, sum(shares) / 5, 1 - sum(shares) / 5, shown)


def facts(**changes: object) -> RobustnessFacts:
    line = Shares("PGD", "strong", ((0, 0.9), (8, 0.0)))
    curve = share_chart("Right in spite of an attack", "of 255", [line], [(0, "0"), (8, "8")])
    found = RobustnessFacts(
        title="waste",
        created="2026-11-30T06:41:13+00:00",
        version="0.1.0",
        figure="accuracy",
        num_pictures=500,
        split="test",
        headline="71 % remain of 85 %",
        lead="The worst is fog.",
        clean="85.0 %",
        families={"weather": (_row("fog", 0.8, 0.7, 0.6, 0.5, 0.123),)},
        severities=(_row("mean", 0.8, 0.7, 0.6, 0.5, 0.4),),
        moves=(curve,),
        mirror="In the mirror 88.2 % stay.",
        attacks=curve,
        attacks_said="200 of these pictures.",
        example=Thumb(thumbnail("JPEG"), 0, "dog", True),
        example_path="a/dog/one.png",
        example_label="dog",
        notes=("Measured on 500 of `test`.",),
        duration_s=61.0,
    )
    return dataclasses.replace(found, **changes)  # type: ignore[arg-type]


def test_the_figures_are_there_in_their_order() -> None:
    page = Page(render_robustness(facts()))
    positions = [page.text.index(part) for part in ("71 % remain", "The worst", "12.3 %", "In the mirror", "200 of")]
    assert positions == sorted(positions)
    assert page.count("img") == 4
    shares = [float(found) for found in re.findall(r"--share:([\d.]+)", render_robustness(facts()))]
    assert shares[:6] == pytest.approx(
        [0.11, 0.165, 0.22, 0.275, 0.48, 0.25], abs=0.006
    )  # the more is lost, the darker
    assert 'href="#attacks"' in render_robustness(facts())


def test_without_attacks_none_are_spoken_of() -> None:
    page = render_robustness(facts(attacks=None, attacks_said=""))
    assert 'id="attacks"' not in page and "#attacks" not in page


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_stay_text(text: str) -> None:
    answer = Thumb(thumbnail(), 0, text, False)
    page = Page(render_robustness(facts(title=text, example=answer, example_path=text, example_label=text)))
    assert page.count("script") == 1


def test_charts_of_shares_have_one_scale_and_stay_in_their_frame() -> None:
    found = share_chart("t", "x", [Shares("a", "strong", ((2, 0.5), (0, 1.0), (1, 0.0)))], [(0, "0"), (2, "2")])
    (line,) = found.lines
    assert [x for x, _ in line.points] == sorted(x for x, _ in line.points)
    top, floor = chart.TOP, chart.HEIGHT - chart.BOTTOM
    assert [y for _, y in line.points] == [top, floor, (top + floor) / 2]
    assert line.points[0][0] == chart.LEFT and line.points[-1][0] == chart.WIDTH - chart.RIGHT
    assert "a: 100.0" in found.summary and "at 2" in found.summary
