"""Figures as words, against sentences written by hand."""

import numpy as np
import pytest

from sightline.report import ClassRow, words

from .conftest import MakeFacts


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.832, "83.2"), (0.0, "0.0"), (1.0, "100.0"), (0.99999, "> 99.9"), (0.00001, "< 0.1"), (0.0005, "0.1")],
)
def test_percent_never_rounds_to_certainty(share: float, text: str) -> None:
    assert words.percent(share) == text + "\u00a0%"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.24, "0.2 s"), (59.6, "1 min 00 s"), (252.3, "4 min 12 s"), (42, "42 s"), (3780, "1 h 03 min")],
)
def test_duration(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


def test_printable_keeps_scripts_and_escapes_the_rest() -> None:
    assert words.printable("日本 مرحبا ü\t") == "日本 مرحبا ü\t"
    assert words.printable("a\x00\udce9\u202eb") == r"a\x00\udce9\u202eb"


def test_meaning_names_the_counts(make_facts: MakeFacts) -> None:
    text = words.meaning(make_facts(interval=(0.841, 0.923)))
    assert "Of 169 test pictures the network named the right class for 150." in text
    assert "between 84.1 and 92.3 of every 100" in text


def test_a_large_clear_test_needs_no_caution(make_facts: MakeFacts) -> None:
    assert words.cautions(make_facts()) == []


def test_small_test_is_said(make_facts: MakeFacts) -> None:
    narrow = make_facts(confusion=np.eye(3, dtype=np.int64) * 33, interval=(0.96, 1.0))
    wide = make_facts(interval=(0.84, 0.945))
    for facts in (narrow, wide):
        (caution,) = words.cautions(facts)
        assert caution.text.startswith("The test is small")
    assert "10.5 points wide" in caution.text


@pytest.mark.parametrize(("baseline", "text"), [(0.90, "may be no better than always"), (0.99, "is worse than always")])
def test_baseline_within_reach_is_said(make_facts: MakeFacts, baseline: float, text: str) -> None:
    (caution,) = words.cautions(make_facts(baseline=baseline))
    assert text in caution.text
    assert words.percent(baseline) in caution.text


def test_classes_with_few_or_no_pictures_are_named(make_facts: MakeFacts) -> None:
    names = tuple(f"k{i}" for i in range(15))
    confusion = np.diag([9] * 13 + [0, 200]).astype(np.int64)
    few, none = words.cautions(make_facts(names, confusion))
    assert few.text.startswith("13 classes have fewer than 10 test pictures")
    assert few.names == names[:12] and few.num_more == 1
    assert none.names == ("k13",) and none.num_more == 0


def test_ten_pictures_are_not_few(make_facts: MakeFacts) -> None:
    facts = make_facts(("a", "b"), np.diag([10, 200]).astype(np.int64))
    assert isinstance(facts.class_rows[0], ClassRow) and words.cautions(facts) == []


def test_most_confused_orders_by_count_then_share() -> None:
    matrix = np.array([[9, 5, 0], [5, 1, 2], [0, 0, 7]])
    found = words.most_confused(matrix, ("a", "b", "c"), 3)
    # 5 of 8 is a larger share than 5 of 14
    assert [(one.truth, one.predicted, one.count, one.total) for one in found] == [
        ("b", "a", 5, 8),
        ("a", "b", 5, 14),
        ("b", "c", 2, 8),
    ]
    assert words.most_confused(np.eye(3, dtype=np.int64), ("a", "b", "c"), 3) == []


def test_learning_names_the_first_best_epoch(make_facts: MakeFacts) -> None:
    assert words.learning(make_facts().history) == (
        "3 epochs in 9.0 s. Validation accuracy was highest after epoch 3: 75.0\u00a0%."
    )
    assert "nothing to draw" in words.learning(())


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (2921.3, 3, "2,920"),
        (0.12346, 4, "0.1235"),
        (-0.05, 3, "-0.05"),
        (0.0, 3, "0"),
        (67500.0, 6, "67,500"),
        (9.996, 3, "10"),
        (1.5e12, 3, "1.5e+12"),
        (2e-7, 3, "2e-07"),
        (None, 3, "–"),
        (float("nan"), 3, "–"),
    ],
)
def test_numbers_are_written_with_the_digits_that_count(value: float | None, digits: int, text: str) -> None:
    assert words.number(value, digits) == text
