"""The page in a few lines: each answer follows the figures."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from sightline.evaluation.abstention import AbstentionMeasured
from sightline.metrics import Figure, Rate
from sightline.report import Facts, words
from sightline.report.short import short

MakeFacts = Callable[..., Facts]
CONFUSION = np.array([[60, 20, 0], [0, 70, 10], [0, 0, 40]])


def test_what_may_be_wrong_and_what_leaving_the_less_sure_brings(make_facts: MakeFacts) -> None:
    """30 of 200 wrong: of the shares asked for, the largest up to half of that."""
    measured = [
        AbstentionMeasured(error, 0.9, Rate(0.8, (0.7, 0.9)), Rate(error, (0.0, 0.2))) for error in (0.02, 0.05)
    ]
    high = AbstentionMeasured(0.1, 0.7, Rate(0.95, (0.9, 1.0)), Rate(0.1, (0.0, 0.2)))
    facts = make_facts(confusion=CONFUSION, abstentions=(*measured, high))
    text = short(facts)["Can I use it?"]
    assert "up to 19.0\u00a0% of answers may be wrong" in text and "`--abstain 0.05`" in text and "80.0\u00a0%" in text
    assert "--abstain" not in short(replace(facts, abstentions=(high,)))["Can I use it?"]


def test_no_better_than_the_commonest_class(make_facts: MakeFacts) -> None:
    assert short(make_facts(confusion=CONFUSION, baseline=0.9))["Can I use it?"].startswith("Not yet")


def test_where_it_fails_and_what_next(make_facts: MakeFacts) -> None:
    facts = make_facts(("glass", "metal", "paper"), CONFUSION, unknown=None, where=None)
    found = short(facts)
    assert found["Where does it fail?"] == "glass is most often taken for metal (20 of 80)."
    assert found["And pictures of something else?"].startswith("They get an answer like any other")
    assert "ook for wrong labels (`sightline labels`)" in found["What next?"]
    few = make_facts(("glass", "metal", "paper"), np.diag([100, 100, 5]))
    assert "ather more of paper" in short(few)["What next?"] and "labels" not in short(few)["What next?"]


def test_calibration_that_does_not_hold_is_a_caution(make_facts: MakeFacts) -> None:
    """Off by 5 points beyond chance, where it was 2 before."""
    facts = make_facts(confusion=CONFUSION)
    assert not words.shifted(facts.sureness)
    worse = replace(facts.sureness, ece=Figure(0.05, (0.02, 0.09)), before=facts.sureness.before | {"ece": 0.02})
    assert "5.0 points off, 2.0 without it" in words.shifted(worse)[0].text
    assert not words.shifted(replace(worse, ece=Figure(0.05, (0.0, 0.09))))
    assert not words.shifted(replace(worse, is_calibrated=False))
