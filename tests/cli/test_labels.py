"""`sightline labels`: what it prints and writes, that it writes over nothing, and keeps its hands off the data."""

import json
from pathlib import Path

import pytest

from sightline.labelling.suspects import Suspects

from . import cases
from .conftest import Sightline


@pytest.fixture
def data(place: Path) -> Path:
    """Fruit, a plum among the apples and an apple among the pears."""
    cases.fruit(place / "fruit", dict.fromkeys(cases.COLOURS, 20))
    cases.write(place / "fruit" / "apples" / "plum.png", cases.picture("plums", 77))
    cases.write(place / "fruit" / "pears" / "apple.png", cases.picture("apples", 77))
    return place / "fruit"


def test_list_and_files(data: Path, sightline: Sightline) -> None:
    before = cases.tree(data)
    result = sightline("labels", "fruit", "--run", "../run")
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert lines[0] == "2 of 62 labels look wrong."
    assert {line.split("%  ")[1] for line in lines if " -> " in line} == {
        "apples -> plums  apples/plum.png",
        "pears -> apples  pears/apple.png",
    }
    assert lines[-1] == "Page: runs/fruit-labels/labels.html"
    out = Path("runs/fruit-labels")
    assert {path.name for path in out.iterdir()} == {"labels.html", "suspects.csv", "labels.csv", "leave-out.tsv"}
    page = (out / "labels.html").read_text(encoding="utf-8")
    assert "2 of 62 labels look wrong" in page and page.count("<figure>") == 2 and "apples/<wbr>plum.png" in page
    assert (out / "labels.csv").read_text(encoding="utf-8").splitlines()[0] == "path,label,suggested"
    assert cases.tree(data) == before


def test_the_files_are_those_that_train_reads(data: Path, sightline: Sightline) -> None:
    assert sightline("labels", "fruit", "--run", "../run", "--out", "found").code == 0
    result = sightline("train", "fruit", "--exclude", "found/leave-out.tsv", "--out", "less", *cases.QUICK)
    assert result.code == 0 and "2 pictures left out, as leave-out.tsv says" in result.err
    assert sightline("train", "found/labels.csv", "--out", "same", *cases.QUICK).code == 0


def test_nothing_is_written_over(data: Path, sightline: Sightline, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        assert sightline("labels", "fruit", "--run", "../run").code == 0
    assert Path("runs/fruit-labels-2/labels.html").is_file()
    monkeypatch.setattr("sightline.labelling.find.find_wrong_labels", None)  # it is said before anything is read
    result = sightline("labels", "fruit", "--run", "../run", "--out", "runs/fruit-labels")
    assert result.code == 4 and "runs/fruit-labels is not empty, and nothing is written over" in result.err


def test_json_goes_alone(data: Path, sightline: Sightline) -> None:
    result = sightline("labels", "fruit", "--run", "../run", "--json", "--folds", "3")
    document = json.loads(result.out)
    assert {row["path"] for row in document["suspects"]} == {"apples/plum.png", "pears/apple.png"}
    assert document["num_pictures"] == 62 and "3 heads" in document["what"]["Answers"]
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 4, "for small pictures train first and give --run RUN"),
        (("--run", "../run", "--model", "lenet5"), 4, "leave out --weights and --model"),
        (("--run", "../run", "--folds", "0"), 4, "folds = 0"),
        (("--run", "../run", "--folds", "30"), 5, "fewer pictures than folds (30) in 'apples' (21)"),
        (("--run", "../nothing"), 7, "nothing is not there"),
        (("--weights", "nothing.safetensors"), 6, "there is no such file"),
    ],
)
def test_what_cannot_be_is_said(words: tuple[str, ...], code: int, said: str, data: Path, sightline: Sightline) -> None:
    result = sightline("labels", "fruit", *words)
    assert result.code == code and said in result.err
    assert not Path("runs").exists()


def test_a_page_without_suspects_and_with_hostile_names(
    data: Path, sightline: Sightline, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases.fruit(Path("clean"), dict.fromkeys(cases.COLOURS, 10))
    assert sightline("labels", "clean", "--run", "../run").out.startswith("None of 30 labels looks wrong.")
    page = Path("runs/clean-labels/labels.html").read_text(encoding="utf-8")
    assert "None of 30 labels looks wrong" in page and "<figure>" not in page
    cases.write(Path("clean/plums/<b>x&.png"), cases.picture("apples", 5))
    assert sightline("labels", "clean", "--run", "../run").code == 0
    page = Path("runs/clean-labels-2/labels.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;x&amp;.png" in page and "<b>x" not in page


def test_the_page_has_no_more_pictures_than_it_says(
    data: Path, sightline: Sightline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sightline.report.labels_facts.NUM_SHOWN", 1)
    monkeypatch.setattr(Suspects, "has_table", False)
    assert sightline("labels", "fruit", "--run", "../run").code == 0
    page = Path("runs/fruit-labels/labels.html").read_text(encoding="utf-8")
    assert page.count("<figure>") == 1 and "The first 1 of 2" in page
    assert "sightline convert DATA OUT --to table" in page
