"""The card: its front matter parses and says the same figures as the page; names cannot break out."""

import json
from dataclasses import replace

import numpy as np
import pytest

from sightline.report import render_card, render_report

from .conftest import MakeFacts

HOSTILE = '"a": [b]\n---\nlicense: mit\u2028 # <b>|`*_x_*`\x85\udce9'


def front_matter(card: str) -> dict[str, object]:
    opening, matter, _ = card.split("---\n", 2)
    assert opening == ""
    lines = (line.partition(": ") for line in matter.split("\n") if line)
    return {key: json.loads(value) for key, _, value in lines}


def test_front_matter_tells_the_figures(make_facts: MakeFacts) -> None:
    matter = front_matter(render_card(make_facts(top5=0.97)))
    assert matter["pipeline_tag"] == "image-classification"
    assert matter["license"] == "bsd-3-clause"  # the weights', not the code's
    ((model,),) = [matter["model-index"]]
    assert model["name"] == "waste"
    (result,) = model["results"]
    assert [metric["value"] for metric in result["metrics"]] == [0.887574, 0.97]
    assert result["dataset"]["split"] == "test"


def test_unknown_licences_are_named_or_left_out(make_facts: MakeFacts) -> None:
    matter = front_matter(render_card(make_facts(licences={"weights": "see: the owner"})))
    assert (matter["license"], matter["license_name"]) == ("other", "see: the owner")
    assert "license" not in front_matter(render_card(make_facts(licences={"code": "MIT"})))


def test_front_matter_is_yaml_and_names_stay_inside(make_facts: MakeFacts) -> None:
    yaml = pytest.importorskip("yaml")
    card = render_card(make_facts(title=HOSTILE, licences={"weights": HOSTILE}))
    matter = card.split("---\n", 2)[1]
    parsed = yaml.safe_load(matter)
    expected = HOSTILE.replace("\x85", r"\x85").replace("\udce9", r"\udce9")
    assert parsed == front_matter(card)
    assert parsed["license_name"] == parsed["model-index"][0]["name"] == expected


def test_names_mean_nothing_to_markdown(make_facts: MakeFacts) -> None:
    card = render_card(make_facts((HOSTILE, "- metal", "www.paper.org"), title=HOSTILE, notes=("1. [x](http://y)",)))
    assert card.encode("utf-8")
    body = card.split("---\n", 2)[2]
    assert "<b>" not in body and "\n---\n" not in body
    assert r'"a": \[b\] --- license: mit # &lt;b&gt;\|\`\*\_x\_\*\`\\x85\\udce9' in body
    assert r"| \- metal |" in body
    assert r"www\.paper.org" in body
    assert r"- 1\. \[x\](http:\//y)" in body
    rows = [line for line in body.splitlines() if line.startswith("|")]
    assert all(row.replace(r"\|", "").count("|") in {3, 7} for row in rows)


def test_command_cannot_leave_its_block(make_facts: MakeFacts) -> None:
    card = render_card(make_facts(command="train ```\n<b>"))
    assert "````\ntrain ```\n<b>\n````" in card


def test_card_says_what_the_page_says(make_facts: MakeFacts) -> None:
    card = render_card(make_facts(confusion=np.array([[50, 0, 14], [0, 50, 0], [0, 0, 5]]))).replace("\u00a0", " ")
    for figure in [
        "**88.2 % of test pictures right** (95 % interval 84.2 to 91.2 %, 119 pictures)",
        "right for 25.0 %",
        "1 class has fewer than 10 test pictures, so its own figures say little: paper.",
        "| glass | 64 | 78.1 % | 100.0 % | 87.7 % |",
        "- 14 of 64: glass taken for paper",
        "| train | 476 |",
        "- Duration: 4 min 12 s",
        "calibrated over all classes together, for pictures like those tested: on average 1.2 points off (95 %",
    ]:
        assert figure in card, figure


def test_probabilities_that_are_not_calibrated_are_called_so(make_facts: MakeFacts) -> None:
    facts = make_facts()
    sure = replace(facts.sureness, calibration="none: there are 9 pictures for it", is_calibrated=False)
    card, page = (render(make_facts(sureness=sure)) for render in (render_card, render_report))
    assert "not calibrated (none: there are 9 pictures for it)" in card
    assert "They are not calibrated: 90 %" in page and "They are calibrated" not in page
    assert "They are calibrated for pictures like those tested" in render_report(facts)


def test_many_classes_are_left_to_the_page(make_facts: MakeFacts) -> None:
    card = render_card(make_facts(tuple(f"k{i}" for i in range(60))))
    assert "The other 10 classes are in `report.html`." in card
    assert "| k49 |" in card and "| k50 |" not in card
