"""`tune` from the command line: what it says, what it leaves, and wrong words."""

from pathlib import Path

import pytest

from . import cases
from .conftest import Sightline

QUICK = ("--epochs", "1", "--workers", "0", "--plan", "off", "--set", "batch_size=8")


def test_it_says_what_it_tried_and_leaves_the_data_alone(place: Path, sightline: Sightline) -> None:
    cases.fruit(place / "fruit")
    before = cases.tree(place / "fruit")
    result = sightline("tune", "fruit", "--trials", "2", "--search", "learning_rate", *QUICK)
    assert result.code == 0, result.err
    assert cases.tree(place / "fruit") == before
    assert result.err.count("trial  ") == 2
    assert "2 settings tried: 2 to their end, 0 ended early, 0 failed." in result.out
    assert "  trial   val loss   val accuracy   settings" in result.out
    again = sightline("tune", "--resume", "runs/fruit-tuned")
    assert again.code == 0 and "is finished" in again.err
    assert again.out == result.out
    assert sightline("evaluate", "runs/fruit-tuned/best").code == 0


def test_bad_pictures_are_left_out_of_search_and_training(place: Path, sightline: Sightline) -> None:
    cases.with_bad_pictures(place / "data")
    refused = sightline("tune", "data", "--trials", "1", "--out", "out", *QUICK)
    assert refused.code == 5 and "--skip-bad" in refused.err
    assert not (place / "out").exists()
    result = sightline("tune", "data", "--trials", "1", "--out", "out", "--skip-bad", *QUICK)
    assert result.code == 0, result.err
    assert "6 pictures that cannot be read were left out" in (place / "out/best/report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["tune"], 4, "Name the pictures (DATA), or a search to go on with (--resume FOLDER)"),
        (["tune", "fruit", "--search", "lr"], 4, "Did you mean learning_rate?"),
        (["tune", "fruit", "--search", "epochs"], 4, "fix them with --epochs"),
        (["tune", "fruit", "--trials", "0"], 4, "trials = 0: must be at least 1"),
        (["tune", "fruit", "--minutes", "0"], 4, "minutes = 0: must be more than 0"),
        (["tune", "fruit", "--minutes", "0.001", *QUICK], 4, "too short for one trial"),
        (["tune", "fruit", "--set", "learning_rat=1"], 4, "Did you mean learning_rate?"),
        (["tune", "nothing"], 5, "nothing"),
        (["tune", "--resume", "fruit"], 7, "fruit is not a search"),
        (["tune", "--resume", "fruit", "--trials", "3"], 4, "leave out --trials"),
        (["tune", "fruit", "--out", "fruit"], 7, "fruit exists already"),
        (["tune", "fruit", "--trails", "3"], 2, "Did you mean --trials"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_words(words: list[str], code: int, said: str, place: Path, sightline: Sightline) -> None:
    cases.fruit(place / "fruit")
    before = cases.tree(place)
    result = sightline(*words)
    assert result.code == code, result.err
    assert said in result.err
    assert "Traceback" not in result.err
    assert cases.tree(place) == before, "the user's files were touched, or a search was left behind"
