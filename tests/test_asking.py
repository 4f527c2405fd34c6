"""What a test is asked besides: files and options, read and checked; what `evaluate` says of it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.training.test_train import bars_in

from sightline.cli import main
from sightline.errors import ConfigError, DataError, RunError
from sightline.evaluation.asking import asked_of, read_costs, read_tree, tree_of_names
from sightline.run import CALIBRATION, Run
from sightline.training.options import Options
from sightline.training.train import train

CLASSES = ("cat", "dog", "bus")


def written(place: Path, text: str) -> Path:
    path = place / "table.csv"
    path.write_text(text, "utf-8")
    return path


def test_costs_are_put_into_the_runs_order(tmp_path: Path) -> None:
    path = written(tmp_path, "\ufefftruth,bus,cat,dog\n\ndog, 6 ,4,5\ncat,3,1,2\nbus,9,7,8\n")
    assert read_costs(path, CLASSES).tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


GOOD = "t,cat,dog,bus\ncat,0,1,2\ndog,1,0,2\nbus,1,2,0\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD.replace("dog,bus", "dig,bus"), "the columns: unknown class 'dig'. Did you mean dog"),
        (GOOD.replace("\ndog", "\ncow"), "the rows: unknown class 'cow'"),
        (GOOD.replace(",bus", "", 1), "the columns: 'bus' missing; the run has 3 classes"),
        (GOOD.replace("bus,1,2,0\n", ""), "the rows: 'bus' missing"),
        (GOOD + "bus,1,2,0\n", "the rows: 'bus' is there 2 times"),
        (GOOD.replace("dog,1,0,2", "dog,1,0"), "line 3: 2 costs, and 3 classes above them"),
        (GOOD.replace("dog,1", "dog,much"), "line 3, column 'cat': 'much' is no cost; write a number"),
        (GOOD.replace("dog,1", "dog,nan"), "line 3, column 'cat': 'nan' is no cost"),
        ("", "holds no table"),
    ],
)
def test_costs_that_say_nothing_usable(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words.replace(".", r"\.")):
        read_costs(written(tmp_path, text), CLASSES)


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_costs(tmp_path / "none.csv", CLASSES)
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00\n")
    with pytest.raises(DataError, match="cannot be read"):
        read_tree(tmp_path / "x.csv", CLASSES)


def test_a_tree_by_its_parents(tmp_path: Path) -> None:
    path = written(tmp_path, "class,parent\ncat,pet\ndog,pet\npet,animal\nbus,\n")
    assert read_tree(path, CLASSES) == (("animal", "pet", "cat"), ("animal", "pet", "dog"), ("bus",))
    below = written(tmp_path, "class,parent\ncat,pet\ndog,pet\nbus,car\npet,all\ncar,all\n")
    assert read_tree(below, CLASSES) == (("pet", "cat"), ("pet", "dog"), ("car", "bus"))  # `all` says nothing


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,parent\ncat,pet\n", "its columns are name, parent; they must be class,parent"),
        ("class,parent\ncat,pet\ndog,pet\n", "'bus' missing; name the parent of every class"),
        ("class,parent\ncat,pet\ncat,animal\n", "line 3: 'cat' has the parents 'pet' and 'animal'"),
        ("class,parent\ncat,pet\npet,cat\ndog,\nbus,\n", "'cat' stands above itself"),
        ("class,parent\ncat\n", "line 2: write a class and its parent"),
        ("class,parent\ncat,\ndog,\nbus,\n", "no two classes have a parent"),
    ],
)
def test_trees_that_say_nothing_usable(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words):
        read_tree(written(tmp_path, text), CLASSES)


def test_names_may_say_where_they_stand() -> None:
    assert tree_of_names(CLASSES) is None
    assert tree_of_names(("all/cat", "all/dog")) is None
    assert tree_of_names(("pet/cat", "pet/dog", "bus")) == (("pet", "pet/cat"), ("pet", "pet/dog"), ("bus",))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    place = tmp_path_factory.mktemp("asked")
    settings = {"model": "simple_cnn", "model.width": 4, "epochs": 2}
    return train(bars_in(place / "bars", 800), settings, Options(out=place / "run", num_workers=0, plan="off"))


def test_the_probability_of_the_positive_class_is_known_of_calibration_pictures(run: Run) -> None:
    known = run.read_json(CALIBRATION)
    first, second = asked_of(run, positive=run.config.classes[0]).calibration, asked_of(run).calibration
    assert first is not None and second is not None
    assert first[1] + second[1] == pytest.approx(1)
    true = np.where(second[0] == 1, second[1], 1 - second[1])
    assert 1 - true == pytest.approx(known["scores"]["lac"])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"positive": "bas"}, "positive: unknown class 'bas'"),
        ({"specificity": 1.0}, "specificity = 1: it must lie between 0 and 1"),
        ({"sensitivity": float("nan")}, "sensitivity = nan"),
        ({"specificity": 0.9, "sensitivity": 0.9}, "name one"),
    ],
)
def test_questions_that_make_no_sense(run: Run, values: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        asked_of(run, **values)  # type: ignore[arg-type]


def test_questions_that_a_run_does_not_answer(run: Run) -> None:
    numbers = replace(run, config=replace(run.config, task="number"))
    assert asked_of(numbers).calibration is None
    with pytest.raises(ConfigError, match=r"costs: .* does not answer one class a picture, but number"):
        asked_of(numbers, costs="x.csv")
    three = replace(run, config=replace(run.config, classes=CLASSES))
    assert asked_of(three).calibration is None
    with pytest.raises(ConfigError, match=r"sensitivity: it is asked of two classes, and .* has 3"):
        asked_of(three, sensitivity=0.9)


def test_runs_that_keep_no_calibration_pictures_still_answer(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    kept = (run.path / CALIBRATION).read_bytes()
    try:
        (run.path / CALIBRATION).unlink()
        assert main(["evaluate", str(run.path)]) == 0
        assert "For use no threshold was chosen: that takes 19 calibration pictures" in capsys.readouterr().out
        (run.path / CALIBRATION).write_text("{}")
        with pytest.raises(RunError, match="damaged"):
            asked_of(run)
    finally:
        (run.path / CALIBRATION).write_bytes(kept)


def test_evaluate_answers_what_it_is_asked(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = run.config.classes
    costs = tmp_path / "costs.csv"
    costs.write_text(f"truth,{first},{second}\n{first},0,1\n{second},5,0\n")
    tree = tmp_path / "tree.csv"
    tree.write_text(f"class,parent\n{first},above\n{second},\n")
    words = ["evaluate", str(run.path), "--positive", first, "--sensitivity", "0.9", "--costs", str(costs)]
    assert main([*words, "--hierarchy", str(tree), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["operating_point"]["positive"] == first and found["operating_point"]["fixed"] == "sensitivity"
    assert found["operating_point"]["on_curve"]["sensitivity"]["value"] >= 0.9
    assert found["costs"]["always_class"] in (first, second)
    assert [level["num_classes"] for level in found["hierarchy"]["levels"]] == [2, 2]
    assert main([*words, "--hierarchy", str(tree)]) == 0
    out = capsys.readouterr().out
    for text in (
        f"Where it finds 90\u00a0% of {first}",
        "Mean cost ",
        "By the class of least expected cost",
        "Level 1, 2 ",
    ):
        assert text in out
    assert main(["evaluate", str(run.path), "--costs", str(tree)]) == 5


def test_the_report_says_what_is_found(run: Run) -> None:
    page, card = (run.path / "report.html").read_text("utf-8"), (run.path / "README.md").read_text("utf-8")
    assert 'id="finding"' in page and "ROC curve of" in page and "specificity it finds" in page
    assert "specificity it finds" in card and '"roc_auc"' in card
    metrics = run.read_json("metrics.json")
    assert metrics["operating_point"]["transferred"]["num"] > 18
    assert len(metrics["roc"]["threshold"]) == len(metrics["roc"]["sensitivity"])
