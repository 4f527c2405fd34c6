"""A learning curve from end to end: what trains on what, the command, the page, what is refused."""

import json
import signal
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.training.test_train import FAST, bars, bars_in

from sightline import learning_curve
from sightline.classifier import from_arrays
from sightline.cli import main
from sightline.errors import ConfigError, DataError
from sightline.growth import heads, trainings
from sightline.growth.figures import Curve, Point
from sightline.growth.forecast import Verdict, forecast
from sightline.growth.measure import part_of
from sightline.growth.words import headline
from sightline.metrics import Figure, Redrawn
from sightline.report.chart import HEIGHT, LEFT, TOP
from sightline.training import unsaved
from sightline.training.options import Options
from sightline.training.recipe import Recipe
from sightline.training.train import train

from .planted import NUMS, drawn_from

pytestmark = pytest.mark.usefixtures("default_plan")


@pytest.fixture(scope="module")
def curve(default_plan: None) -> Curve:
    return learning_curve(from_arrays(*bars(400)), FAST, Options(cache=False))


def made_up(errors: list[float], num_test: int = 1000, task: str = "single") -> Curve:
    """One of these errors."""
    found, drawn = drawn_from(np.array(errors), num_test, np.random.default_rng(0))
    points = []
    for share, num, error, column in zip((1 / 8, 1 / 4, 1 / 2, 1.0), NUMS, found, drawn.T, strict=True):
        low, high = (float(x) for x in np.quantile(1 - column, (0.025, 0.975)))
        points.append(Point(share, int(num), Redrawn(Figure(float(1 - error), (low, high)), 1 - column)))
    said = forecast(NUMS, found, drawn, num_test)
    return Curve("<b>data</b>", task, tuple(points), said, num_test, "what", ("A note.",), 3.0)


def test_all_of_them_give_what_train_gives(curve: Curve, tmp_path: Path) -> None:
    run = train(from_arrays(*bars(400)), FAST, Options(out=tmp_path / "run", cache=False))
    metrics = run.read_json("metrics.json")
    assert curve.best.value == metrics["accuracy"] and list(curve.best.interval) == metrics["interval"]
    assert curve.best.num == sum(line["split"] == "train" for line in run.split())
    assert [p.num for p in curve.points] == pytest.approx([35, 70, 140, 280], abs=2) and curve.num_test == 60


def test_parts_train_with_as_many_steps_and_the_test_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, trained = list[tuple[int, int, int]](), unsaved.trained

    def remembered(begun: unsaved.Begun, table: object, selection: object, num_steps: int, *rest: object) -> object:
        seen.append((len(begun.batches.rows), num_steps, len(selection.labels)))  # type: ignore[attr-defined]
        return trained(begun, table, selection, num_steps, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(unsaved, "trained", remembered)
    learning_curve(from_arrays(*bars(400)), FAST, Options(cache=False))
    assert [num for num, _, _ in seen] == pytest.approx([35, 70, 140, 280], abs=2)
    assert {steps for _, steps, _ in seen} == {3 * (280 // 16)} and len({num for *_, num in seen}) == 1


def test_no_picture_of_a_small_part_is_seen_more_often_than_recipes_do() -> None:
    recipe = Recipe(epochs=20)
    assert trainings.num_steps_of(recipe, 80, 80) == 1600 and trainings.num_steps_of(recipe, 80, 10) == 600
    assert trainings.num_steps_of(replace(recipe, epochs=100), 80, 10) == 1000


def test_heads_on_features_computed_once_are_those_of_trainings(first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two routes, one answer: by the features of all, and by a training of each part."""
    data, settings = from_arrays(*bars(400, seed=3)), {"weights": first}
    fast = learning_curve(data, settings, Options(cache=False))
    monkeypatch.setattr(heads, "samples", trainings.samples)
    slow = learning_curve(data, settings, Options(cache=False))
    assert [p.num for p in fast.points] == [p.num for p in slow.points] == pytest.approx([42, 85, 170, 340], abs=2)
    assert [p.value for p in fast.points] == [p.value for p in slow.points]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, default_plan: None) -> str:
    """A run whose head is fitted anew."""
    out = tmp_path_factory.mktemp("first") / "run"
    return str(train(from_arrays(*bars(120, seed=9)), FAST, Options(out=out)).path)


def test_only_the_part_trains_and_the_rest_is_of_no_part() -> None:
    from sightline.training.prepare import open_table
    from sightline.training.progress import Silent

    table = open_table(from_arrays(*bars(100)), None, None, Silent())
    rows = table.parts.rows("train")[:9]
    own = part_of(table, rows)
    assert own.parts.rows("train").tolist() == rows.tolist()
    for name in ("val", "calibration", "test"):
        assert own.parts.rows(name).tolist() == table.parts.rows(name).tolist()


def test_too_few_pictures_are_refused_and_a_part_too_small_is_left_out() -> None:
    with pytest.raises(DataError, match=r"42 pictures train, and a learning curve needs 64: 16 in a quarter of them"):
        learning_curve(from_arrays(*bars(60)), FAST, Options(cache=False))
    found = learning_curve(from_arrays(*bars(140)), FAST, Options(cache=False))
    assert [p.share for p in found.points] == [1 / 4, 1 / 2, 1.0]
    assert "1/8 of the training pictures is 12, fewer than 8 of each class" in found.notes[-1]
    assert found.forecast.verdict is Verdict.FEW and "There are 22 test pictures" in found.sentences()[1]


@pytest.mark.parametrize("options", [Options(minutes=1), Options(num_processes=2)])
def test_budgets_and_several_processes_are_refused(options: Options) -> None:
    with pytest.raises(ConfigError, match=r"minutes: parts of the pictures|nproc = 2"):
        learning_curve(from_arrays(*bars(100)), FAST, options)


def test_numbers() -> None:
    pictures = bars(300)[0]
    values = np.array([float(picture[14].mean()) for picture in pictures])
    found = learning_curve(from_arrays(pictures, values[:, None]), FAST | {"epochs": 2}, Options(cache=False))
    assert found.figure == "r2" and found.to_json()["points"][-1]["r2"] == found.best.value
    assert "%" not in found.sentences()[0] and "Variance that is not explained" in found.page()


def test_what_is_said() -> None:
    helps = made_up([0.28, 0.2, 0.14, 0.1])
    assert helps.forecast.verdict is Verdict.HELPS and headline(helps) == "More pictures would help"
    (sentence, *_) = helps.sentences()
    assert sentence.startswith("With twice as many pictures (2,000 to train) expect an accuracy of 9")
    assert f"in place of {100 * helps.best.value:.1f}" in sentence and "; four times as many (4,000): 9" in sentence
    flat = made_up([0.1] * 4)
    assert flat.sentences()[0] == "More pictures like these would bring nothing that this test could show."
    assert "has not risen by more than chance" in flat.sentences()[1]
    level = replace(helps, forecast=replace(helps.forecast, verdict=Verdict.FLAT))
    assert level.sentences()[0] == flat.sentences()[0] and "levels off" in level.sentences()[1]
    rises = made_up([0.3, 0.2, 0.35, 0.15], 2000)
    assert rises.sentences()[0] == "This test cannot say what more pictures would bring."
    assert "From 250 to 500 pictures the figure falls" in rises.sentences()[1]
    small = made_up([0.5, 0.35, 0.25, 0.18], 150)
    assert "This test could not show it: differences below" in small.sentences()[1]


def test_the_page_shows_what_is_known_and_no_more() -> None:
    helps, rises = made_up([0.28, 0.2, 0.14, 0.1]), made_up([0.3, 0.2, 0.35, 0.15], 2000)
    page = helps.page()
    assert "&lt;b&gt;data" in page and "<b>data" not in page and "A note." in page
    assert page.count('<circle class="dot strong"') == 4 and "line dashed" in page and page.count("expected</th>") == 2
    assert 'line dashed"' not in rises.page() and "expected</th>" not in rises.page()


def test_the_drawing_stays_in_its_frame() -> None:
    from sightline.growth.page import _facts
    from sightline.report.curve_facts import drawn

    for errors in ([0.28, 0.2, 0.14, 0.1], [0.0] * 4, [0.9, 0.5, 0.1, 0.02]):
        picture = drawn(_facts(made_up(errors)))
        places = [point for line in picture.chart.lines for point in line.points]
        assert all(x >= LEFT and TOP <= y <= HEIGHT for x, y in places)
        solid, dashed = picture.chart.lines
        assert solid.points[-1] == dashed.points[0] and dashed.points[0][0] == picture.whiskers[-1][0]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    bars_in(tmp_path / "bars", 400)
    monkeypatch.chdir(tmp_path)
    words = ["curve", "bars", "--model", "simple_cnn", "--epochs", "1", "--no-cache", "--set", "batch_size=16"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert printed.count("1/") == 3 and f"Page: {Path('runs/bars-curve/curve.html')}" in printed
    assert [p.name for p in (tmp_path / "runs").iterdir()] == ["bars-curve"], "no run is left"
    assert [p.name for p in (tmp_path / "runs/bars-curve").iterdir()] == ["curve.html"]
    assert main([*words, "--json", "--out", "mine"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [p["share"] for p in document["points"]] == [0.125, 0.25, 0.5, 1.0]
    assert document["forecast"][1]["num_train"] == 4 * document["points"][-1]["num_train"]
    assert "sightline curve" in (tmp_path / "mine/curve.html").read_text("utf-8")
    (tmp_path / "mine/curve.html").write_text("mine")
    assert main([*words, "--out", "mine"]) == 4 and "was not written by sightline curve" in capsys.readouterr().err


@pytest.mark.usefixtures("listening")
def test_ctrl_c_ends_it_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bars_in(tmp_path / "bars", 300)
    monkeypatch.chdir(tmp_path)
    threads, trained = torch.get_num_threads(), unsaved.trained
    calls = list[int]()

    def interrupted(*given: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGINT)
        return trained(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(unsaved, "trained", interrupted)
    words = ["curve", "bars", "--model", "simple_cnn", "--epochs", "2", "--no-cache", "--set", "batch_size=16"]
    assert main(words) == 130 and len(calls) == 2
    assert "stopped by Ctrl-C" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists() and torch.get_num_threads() == threads


def test_groups_train_whole_and_count_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures, labels = bars(400)
    data = replace(from_arrays(pictures, labels), groups=[f"g{i // 4}" for i in range(400)])
    parts = list[set[int]]()
    monkeypatch.setattr(
        trainings, "part_of", lambda table, rows: parts.append(set(rows.tolist())) or part_of(table, rows)
    )
    found = learning_curve(data, FAST | {"epochs": 1}, Options(cache=False))
    assert len(parts) == 4 and all(a < b for a, b in pairwise(parts))
    for part in parts:
        assert {row // 4 for row in part} & {row // 4 for row in set(range(400)) - part} == set()
    assert found.forecast.verdict is Verdict.FEW, "60 test pictures are 15 groups"
