"""`robustness`: figures on the terminal, the page and the JSON in the run folder or elsewhere."""

import json
from pathlib import Path

from . import cases
from .conftest import Sightline

NUM = ("--num", "12", "--attacked", "4", "--i-know")


def test_figures_a_page_and_json_in_the_run_folder(place: Path, sightline: Sightline) -> None:
    run = cases.own_run(place)
    result = sightline("robustness", "run", "fruit", "--split", "test", *NUM)
    assert result.code == 5 and "10 are needed" in result.err  # 3 test pictures
    cases.fruit(place / "more", dict.fromkeys(cases.COLOURS, 6))
    result = sightline("robustness", "run", "more", *NUM)
    assert result.code == 0, result.err
    assert result.out.startswith("accuracy ") and "gaussian noise" in result.out
    assert "12 of the 18 pictures" in result.out and "pictures were trained on; the figures flatter" in result.out
    assert result.out.endswith("Page: run/robustness.html\n")
    written = json.loads((run / "robustness.json").read_text(encoding="utf-8"))
    assert written["num"] == 12 and len(written["corruptions"]) == 15 and written["attacks"][0]["num"] == 4
    assert "sightline robustness" in (run / "robustness.html").read_text(encoding="utf-8")
    again = sightline("robustness", "run", "more", *NUM, "--json")  # its own page is written over
    assert again.code == 0
    printed = json.loads(again.out)
    assert {**printed, "duration_s": 0} == {**written, "duration_s": 0}


def test_out_is_a_folder_of_its_own_and_others_files_are_kept(place: Path, sightline: Sightline) -> None:
    cases.own_run(place)
    cases.fruit(place / "more", dict.fromkeys(cases.COLOURS, 6))
    before = cases.tree(place / "run")
    result = sightline("robustness", "run", "more", *NUM, "--attacked", "0", "--out", "found")
    assert result.code == 0, result.err
    assert cases.tree(place / "run") == before
    assert {path.name for path in (place / "found").iterdir()} == {"robustness.html", "robustness.json"}
    assert "No attack was tried." in result.out
    cases.write(place / "mine" / "robustness.html", b"years of work")
    result = sightline("robustness", "run", "more", *NUM, "--out", "mine")
    assert result.code == 4 and "robustness.html exists already" in result.err
