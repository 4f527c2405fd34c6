"""Where a network fails: the sentence, the lines of a terminal, the section of the page and its pictures."""

import dataclasses

import numpy as np
import pytest

from sightline.report import render_report
from sightline.report.facts import Card, Where
from sightline.report.where import gap_lines, lines, sentence, where
from sightline.slicing import Gap, Gaps, Of, Slice, Slices, find_slices
from sightline.slicing.score import Figures
from slicing.making import answered

from .conftest import MakeFacts, thumbnail
from .test_page import HOSTILE, Page

NONE = np.zeros(0, bool)
BAD = Slice((("camera", "yard"), ("size", "under 32 pixels")), Figures(40, 0.5, (0.35, 0.65)), 0.9, 0.001, 0.004, NONE)
CHANCE = Slice((("truth", "glass"),), Figures(30, 0.8, None), 0.88, 0.2, 0.9, NONE)
SLICES = Slices("accuracy", 300, 1214, 45, (BAD, CHANCE), ("camera", "size", "truth"), (("id", 300),))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "1 slice stands out beyond chance, of 1,214 looked at"),
        ({"worst": (BAD, BAD)}, "2 slices stand out beyond chance, of 1,214 looked at"),
        ({"worst": (CHANCE,)}, "Nothing stands out beyond chance among 1,214 slices"),
        ({"worst": (), "num_mistakes": 0}, "No mistakes, so no slice is worse than the rest"),
        ({"worst": (), "num_looked": 0}, "No attribute tells enough pictures apart to look for slices"),
    ],
)
def test_the_sentence(changes: dict[str, object], expected: str) -> None:
    assert sentence(dataclasses.replace(SLICES, **changes)) == expected  # type: ignore[arg-type]


def test_the_lines_of_a_terminal() -> None:
    assert lines(SLICES) == [
        "slices: 1 slice stands out beyond chance, of 1,214 looked at (by camera, size, truth)",
        "not looked at by id: 300 values, each of few pictures",
        "accuracy   95 % interval   rest  pictures  by chance  slice",
        "   50.0%  35.0% to 65.0%  90.0%        40      0.004  camera yard, size under 32 pixels",
        "   80.0%       one group  88.0%        30      0.900  truth glass",
    ]
    error = Slice((("size", "9"),), Figures(40, 1234.5, (1000, 1500)), 20.25, 0.001, 0.004, NONE)
    assert lines(Slices("error", 300, 10, None, (error,), ("size",)))[-1].split("  ")[:3] == [
        "1,234", "1,000 to 1,500", "20.25",
    ]  # fmt: skip


def test_the_lines_of_gaps() -> None:
    each = (Figures(40, 0.5, (0.35, 0.65)), None)
    of = Of("accuracy", each, Gap("x", "y", 0.123, (-0.05, 0.3)), 0.25)
    few = Of("b found", each, None, None)
    assert gap_lines(Gaps("site", ("x", "y"), (40, 0), np.zeros(40, np.intp), (of, few)), True) == [
        "accuracy   95 % interval  b found   95 % interval  pictures  site",
        "   50.0%  35.0% to 65.0%    50.0%  35.0% to 65.0%        40  x",
        "       -                        -                         0  y",
        "accuracy: largest gap 12.3 points (-5.0 to 30.0), x against y; so different by chance: 0.250",
        "b found: too few pictures of two values to compare",
    ]


def test_the_page_says_so_and_shows_mistakes(make_facts: MakeFacts) -> None:
    card = Card("yard/one.png", thumbnail(), "Mistaken picture of glass", (("Truth", "glass", "plain"),))
    page = Page(render_report(make_facts(where=Where(SLICES, (card,)))))
    for said in (
        "1 slice stands out beyond chance, of 1,214 looked at.", "camera, size, truth",
        "camera yard", "size under 32 pixels",
        "50.0 %", "35.0 to 65.0 %", "one group", "0.4 %", "Mistakes of the first slice", "yard/one.png",
        "those with more than 5 % by chance are no worse than chance makes them",
    ):  # fmt: skip
        assert said in page.text, said
    assert any(attributes.get("href") == "#where" for _, attributes in page.elements)
    assert "Where it fails" not in Page(render_report(make_facts())).text


def test_errors_are_drawn_by_the_largest(make_facts: MakeFacts) -> None:
    slices = Slices(
        "error", 300, 10, None,
        tuple(dataclasses.replace(BAD, inside=i) for i in (Figures(40, 50.0, (25.0, 100.0)), Figures(9, 2.0, None))),
        ("size",),
    )  # fmt: skip
    page = Page(render_report(make_facts(where=Where(slices, ()))))
    assert "25 to 100" in page.text
    widths = [
        a["width"] for tag, a in page.elements if tag == "rect" and a.get("class") == "fill" and a["height"] == "12"
    ]
    assert widths[-2:] == ["50.0%", "2.0%"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_columns_and_cells_stay_text(make_facts: MakeFacts, name: str) -> None:
    plain = Page(render_report(make_facts(where=Where(SLICES, ()))))
    bad = dataclasses.replace(BAD, terms=((name, name), ("size", name)))
    source = render_report(
        make_facts(where=Where(dataclasses.replace(SLICES, worst=(bad, CHANCE), attributes=(name,)), ()))
    )
    page = Page(source)
    for tag in ("script", "style", "img", "title", "textarea"):
        assert page.count(tag) == plain.count(tag), tag
    assert source.encode("utf-8") and "\x00" not in source and "\u202e" not in source


def test_the_pictures_are_the_surest_mistakes_of_the_worst_slice() -> None:
    camera = ["old"] * 30 + ["new"] * 70
    wrong = np.zeros(100, bool)
    wrong[5:25] = wrong[60:63] = True
    found = answered(wrong, {"camera": camera})
    assert found.dataset is not None
    found.outputs[7] = np.where(found.outputs[7] > 0.5, 0.99, 0.01)
    slices = find_slices(found)
    shown = where(slices, found, found.dataset).mistakes
    assert slices.worst[0].stands_out and len(shown) == 4 and shown[0].path == "7.png"
    inside = {found.dataset.paths[i] for i in np.flatnonzero(wrong & slices.worst[0].members)}
    assert {card.path for card in shown} <= inside
    assert shown[0].lines == (("Truth", "b", "plain"), ("Answer", "a", "wrong"))
    nothing = find_slices(answered(np.arange(100) % 9 == 0, {"camera": camera}))
    assert where(nothing, found, found.dataset).mistakes == ()
