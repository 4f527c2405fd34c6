"""The pages and cards of several labels and of numbers: hostile names stay text, what is undefined says so."""

import dataclasses

import numpy as np
import pytest

from sightline.evaluation.sets import ClassSets, IntervalsMeasured, LabelSetsMeasured, Quarter
from sightline.metrics import Figure, Rate
from sightline.metrics.per_label import LabelScore
from sightline.report import Common, render_card, render_report
from sightline.report import words as words_of
from sightline.report.facts import Card, LabelRow, LabelSureness, MultiFacts, NumberFacts, ValueRow
from sightline.report.results import RESULTS, multi, number
from sightline.report.scatter import BOTTOM, LEFT, MAX_DOTS, RIGHT, SIDE, TOP, scatter

from .conftest import MakeFacts, thumbnail

HOSTILE = '<script>alert(1)</script>"{{ 7 * 7 }}'
NOTHING = Figure(None, None)


def common(facts: Common, classes: tuple[str, ...]) -> dict[str, object]:
    counts = np.full(len(classes), 7)
    return facts.shared() | {"classes": classes, "splits": {"train": counts, "test": counts}, "num_samples": 200}


@pytest.fixture
def several(make_facts: MakeFacts) -> MultiFacts:
    half = Figure(0.5, (0.4, 0.6))
    rows = (
        LabelRow("mass", 0.31, LabelScore(40, Figure(0.8, (0.7, 0.9)), half, 0.5, 0.25, (0.1, 0.4), half)),
        LabelRow(HOSTILE, 0.5, LabelScore(0, NOTHING, NOTHING, None, None, None, NOTHING)),
    )
    held = ClassSets(HOSTILE, 40, Rate(0.7, (0.6, 0.8)), 2.3)
    card = Card("a/<b>.png", thumbnail(), "Picture", (("Truth", HOSTILE, ""), ("Missed", HOSTILE, "wrong")))
    return MultiFacts(
        **common(make_facts(), ("mass", HOSTILE)),
        average_precision=Figure(0.8, (0.7, 0.9)),
        baseline=0.2,
        exact_baseline=0.6,
        label_rows=rows,
        figures=dict.fromkeys(("f1_macro", "f1_micro", "exact_match", "hamming_loss"), half),
        sureness=dataclasses.replace(make_facts().sureness, labels=(LabelSureness(HOSTILE, 0.08, 0.01, "bias +1.00"),)),
        sets=LabelSetsMeasured(0.1, False, 55, Figure(0.08, (0.05, 0.11)), 1.9, 1.2, (held,)),
        missed=(card,),
        false=(),
    )


@pytest.fixture
def numbers(make_facts: MakeFacts) -> NumberFacts:
    truth = np.linspace(0, 10, 200)[:, None]
    rate = Rate(0.912, (0.86, 0.95))
    row = ValueRow(
        HOSTILE, Figure(2921.3, (2500, 3300)), Figure(4.0, (3, 5)), Figure(0.7, (0.6, 0.8)), NOTHING, 5000.0, 9
    )
    return NumberFacts(
        **common(make_facts(), (HOSTILE,)),
        r2=Figure(0.7, (0.6, 0.8)),
        value_rows=(row,),
        truth=truth,
        answers=truth + 1,
        intervals=(IntervalsMeasured(HOSTILE, 0.1, 50, True, rate, 3.0, (Quarter(1, 5, rate, 2.5),)),),
        ends=(truth - 0.5, truth + 2.5),
        worst=(Card("<i>.png", thumbnail(), HOSTILE, (("Truth", "1", ""),)),),
    )


@pytest.mark.parametrize("name", ["several", "numbers"])
def test_names_stay_text(name: str, request: pytest.FixtureRequest) -> None:
    facts = request.getfixturevalue(name)
    page, card = render_report(facts), render_card(facts)
    assert page.count("<script>") == 1 and "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 7 * 7 }}" in page and "<script>" not in card.split("---\n", 2)[2]


@pytest.mark.parametrize("task", RESULTS.names())
def test_every_task_has_its_template_and_its_symbols(task: str) -> None:
    from pathlib import Path

    module = RESULTS.get(task)
    assert module.__doc__ and (Path(module.__file__ or "").parent.parent / f"{task}.html").is_file()


def test_what_was_not_measured_is_a_dash_and_a_caution(several: MultiFacts) -> None:
    assert [row.name for row in multi.weakest_first(several.label_rows)] == ["mass", HOSTILE]
    found = multi.cautions(several)
    assert any("no test picture at all" in c.text and c.names == (HOSTILE,) for c in found)
    assert any("Too few pictures to choose a threshold" in c.text and c.names == (HOSTILE,) for c in found)
    undefined = dataclasses.replace(several, average_precision=NOTHING)
    assert "undefined" in render_report(undefined) and "mean_average_precision" not in render_card(undefined)


def test_a_test_without_mistakes_is_no_proof(several: MultiFacts) -> None:
    perfect = dataclasses.replace(several, average_precision=Figure(1.0, (1.0, 1.0)))
    assert "does not mean that there are none to come" in multi.cautions(perfect)[0].text


@pytest.mark.parametrize(
    ("interval", "words"), [((-0.1, 0.3), "may be no better"), ((-0.5, -0.1), "worse than always"), ((0.2, 0.5), "")]
)
def test_numbers_no_better_than_the_mean_are_told(
    numbers: NumberFacts, interval: tuple[float, float], words: str
) -> None:
    found = number.cautions(dataclasses.replace(numbers, r2=Figure(0.1, interval)))
    assert words in found[0].text if words else found == []


def test_facts_that_contradict_each_other_are_refused(several: MultiFacts, numbers: NumberFacts) -> None:
    with pytest.raises(ValueError, match="label_rows are of"):
        dataclasses.replace(several, label_rows=several.label_rows[:1])
    with pytest.raises(ValueError, match=r"answers \(199, 1\); expected \(200, 1\)"):
        dataclasses.replace(numbers, answers=numbers.answers[1:])


def test_what_was_promised_stands_beside_what_was_held(several: MultiFacts, numbers: NumberFacts) -> None:
    page, card = render_report(several), render_card(several)
    for text in (
        "How sure it is",
        "for each class by itself",
        "bias +1.00",
        "missed 8.0\u00a0% of them",
        "Sets of classes",
    ):
        assert text in page, text
    assert "for each class by itself" in card and "not calibrated" not in card
    page, card = render_report(numbers), render_card(numbers)
    for text in ("How far off it may be", "91.2\u00a0%", "wider where answers are further off"):
        assert text in page, text
    assert page.count('<polyline class="line strong thin"') == 2 and "held it for 91.2" in card


def test_without_calibration_pictures_the_page_says_what_is_lacking(several: MultiFacts, numbers: NumberFacts) -> None:
    bare = dataclasses.replace(
        several, sets=None, sureness=dataclasses.replace(several.sureness, is_calibrated=False, calibration="none: few")
    )
    page = render_report(bare)
    assert "not calibrated (none: few)" in page and "Sets of classes" not in page and "not as odds" in page
    lone = dataclasses.replace(numbers, intervals=(), ends=())
    page = render_report(lone)
    assert 'id="reach"' not in page and 'href="#reach"' not in page and "line strong thin" not in page
    assert number.NO_INTERVALS in page and number.NO_INTERVALS in render_card(lone)


def test_of_a_single_group_the_page_and_the_card_say_so(several: MultiFacts, numbers: NumberFacts) -> None:
    value, row = Figure(0.8, None), numbers.value_rows[0]
    alone = [
        dataclasses.replace(several, average_precision=value, num_groups=1),
        dataclasses.replace(
            numbers, r2=value, num_groups=1, value_rows=(dataclasses.replace(row, mae=value, rmse=value, r2=value),)
        ),
    ]
    for facts in alone:
        page = render_report(facts)
        assert (
            "All test pictures are of one group" in page and "in 1 group" in page and "nan" not in page.lower().split()
        )
        assert "in 1 group" in render_card(facts)


def test_rates_that_were_asked_for_keep_their_digits() -> None:
    asked = [words_of.asked(share).replace("\u00a0", " ") for share in (0.9, 0.975, 0.995, 0.0012)]
    assert asked == ["90 %", "97.5 %", "99.5 %", "0.12 %"]


def test_words_of_sets_that_nothing_was_measured_of(several: MultiFacts) -> None:
    assert several.sets is not None
    nothing = dataclasses.replace(several.sets, missed=NOTHING, classes=(), by_class=True)
    text = words_of.sets_in_words(nothing)
    assert "of the pictures with each class" in text and "no tested picture carries a class" in text


def test_the_band_ends_where_the_square_does() -> None:
    values = np.linspace(0, 10, 500)
    drawn = scatter("x", values, values, (values - 4, values + 4))
    for path in drawn.band:
        points = np.array([[float(v) for v in point.split(",")] for point in path.split()])
        assert len(points) == 100 and points[:, 0].min() >= LEFT and points[:, 0].max() <= SIDE - RIGHT
        assert (np.diff(points[:, 1]) <= 0).all()  # the answers rise


def test_a_right_answer_lies_on_the_diagonal_of_the_square() -> None:
    values = np.array([0.0, 2.0, 10.0])
    drawn = scatter("x", values, values)
    assert drawn.dots[0] == (LEFT, SIDE - BOTTOM) and drawn.dots[2] == (SIDE - RIGHT, TOP)
    for x, y in drawn.dots:
        assert (x - LEFT) / (SIDE - LEFT - RIGHT) == pytest.approx(
            (SIDE - BOTTOM - y) / (SIDE - TOP - BOTTOM), abs=1e-3
        )
    many = scatter("x", np.arange(5000.0), np.arange(5000.0))
    assert len(many.dots) == MAX_DOTS and many.num_hidden == 3000
