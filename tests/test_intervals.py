"""Intervals of numbers: by hand, the promise over many simulated draws, where answers are unequally far off."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.stats import kruskal
from tests.training.test_number import FAST, discs

from sightline.classifier import from_arrays
from sightline.cli import main
from sightline.decision import Intervals, NumberDecision
from sightline.decision.intervals import (
    BEYOND_CHANCE,
    NUM_FOR_SPREAD,
    IntervalDecision,
    Spread,
    fitted,
    kept,
    opened,
    spread_of,
)
from sightline.errors import ConfigError, RunError
from sightline.evaluation.evaluate import Evaluation, evaluate
from sightline.evaluation.sets import measure_sets, measure_sets_by
from sightline.predictor import Predictor, open_sets
from sightline.report.where import set_lines_by
from sightline.run import CALIBRATION, Run
from sightline.slicing import Gaps
from sightline.training.options import Options
from sightline.training.train import train


def drawn(generator: np.random.Generator, num: int, grows: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Answers and truths (num, 1); with `grows`, an answer of 10 is ten times as far off as one of 1."""
    answers = generator.uniform(1, 10, (num, 1))
    return answers, answers + generator.standard_t(4, (num, 1)) * (answers if grows else 1)


def held(intervals: Intervals, answers: np.ndarray, truths: np.ndarray) -> np.ndarray:
    low, high = intervals.bounds(answers)
    return ((low <= truths) & (truths <= high))[:, 0]


def test_the_reach_by_hand() -> None:
    """Of 19 distances 1 to 19, the eighteenth is not exceeded by 90 % of them and one more."""
    truths = np.arange(1.0, 20.0)[:, None] * np.where(np.arange(19) % 2, 1, -1)[:, None]
    made = fitted(kept(np.zeros((19, 1)), truths), ("x",), 0.1)
    assert made == Intervals(0.1, (18.0,), (None,), (19,))
    low, high = made.bounds(np.array([[100.0]]))
    assert (low.item(), high.item()) == (82.0, 118.0)


@pytest.mark.parametrize(("num", "grows"), [(100, False), (100, True), (399, False), (299, True)])
def test_the_promise_is_kept_whatever_the_errors_are_like(num: int, grows: bool) -> None:
    """Over 300 draws coverage is 0.9 to 0.9 + 1/(n + 1) in the mean, and spreads as a beta distribution (Vovk, 2012),
    n being the pictures that are not spent on the spread."""
    generator = np.random.default_rng(num)
    covered, nums = [], []
    for _ in range(300):
        made = fitted(kept(*drawn(generator, num, grows)), ("x",), 0.1)
        covered.append(held(made, *drawn(generator, 4_000, grows)).mean())
        nums.append(made.num[0])
    beta, test = np.sqrt(0.09 / (np.mean(nums) + 2)), np.sqrt(0.09 / 4_000)
    error = 3 * beta / np.sqrt(300)
    assert 0.9 - error < np.mean(covered) < 0.9 + 1 / (np.mean(nums) + 1) + error
    assert np.std(covered) == pytest.approx(np.hypot(beta, test), rel=0.13)  # three standard errors of a deviation


def test_where_large_answers_are_further_off_intervals_widen_with_them() -> None:
    generator, scaled, same = np.random.default_rng(0), [], []
    for _ in range(30):
        known, (answers, truths) = kept(*drawn(generator, 600, True)), drawn(generator, 5_000, True)
        made, plain = fitted(known, ("x",), 0.1), fitted({k: v[:150] for k, v in known.items()}, ("x",), 0.1)
        assert made.spreads[0] is not None and made.num == (400,) and plain.spreads == (None,)
        quarter = np.digitize(answers[:, 0], (3.25, 5.5, 7.75))
        for found, by in ((scaled, made), (same, plain)):
            found.append([held(by, answers, truths)[quarter == q].mean() for q in range(4)])
        low, high = made.bounds(np.array([[2.0], [9.0]]))
        assert 2 < (high - low)[1, 0] / (high - low)[0, 0] < 8
    assert max(abs(np.mean(scaled, axis=0) - 0.9)) < 0.04 < 0.1 < 0.9 - min(np.mean(same, axis=0))


def test_a_spread_is_seen_where_there_is_one_and_once_in_a_hundred_where_there_is_none() -> None:
    generator = np.random.default_rng(1)

    def seen(grows: bool, num: int) -> float:
        found = []
        for _ in range(500):
            answers, truths = drawn(generator, num, grows)
            found.append(spread_of(answers[:, 0], abs(answers - truths)[:, 0]) is not None)
        return float(np.mean(found))

    assert seen(False, 80) < 0.025
    assert seen(True, NUM_FOR_SPREAD // 3) > 0.7


def test_the_spread_is_told_by_the_test_of_kruskal_and_wallis() -> None:
    generator = np.random.default_rng(2)
    agree = 0
    for _ in range(60):
        answers = generator.uniform(0, 1, 80)
        off = np.round(abs(generator.normal(0, 1 + answers)), 1)  # with ties
        parts = np.digitize(answers, np.quantile(answers, (0.25, 0.5, 0.75), method="higher"))
        statistic = kruskal(*(off[parts == q] for q in range(4))).statistic
        agree += (spread_of(answers, off) is not None) == (statistic > BEYOND_CHANCE[3])
    assert agree == 60


def test_what_does_not_vary_has_no_spread() -> None:
    assert spread_of(np.full(90, 3.0), np.arange(90.0)) is None
    assert spread_of(np.arange(90.0), np.full(90, 2.0)) is None
    few = spread_of(np.repeat([1.0, 2.0], 45), np.repeat([0.0, 5.0], 45))
    assert few == Spread((1.0, 2.0), (pytest.approx(0.025), 5.0))  # never of no width


def test_a_rate_that_the_rest_cannot_bear_is_borne_by_all() -> None:
    known = kept(*drawn(np.random.default_rng(0), 210, True))
    assert fitted(known, ("x",), 0.1).spreads[0] is not None
    assert fitted(known, ("x",), 1 / 200).spreads == (None,)


def test_each_number_has_its_own() -> None:
    generator = np.random.default_rng(3)
    answers = generator.normal(0, 1, (100, 2))
    made = fitted(kept(answers, answers + generator.normal(0, (1, 1000), (100, 2))), ("a", "b"), 0.1)
    assert 300 < made.reaches[1] / made.reaches[0] < 3_000


@pytest.mark.parametrize(("num", "error", "needed"), [(8, 0.1, 9), (98, 0.01, 99), (0, 0.5, 1)])
def test_what_cannot_be_promised_says_how_many_it_takes(num: int, error: float, needed: int) -> None:
    answers, truths = drawn(np.random.default_rng(0), needed)
    with pytest.raises(ConfigError, match=f"with {num} calibration pictures .* it takes {needed} of them"):
        fitted(kept(answers[:num], truths[:num]), ("x",), error)
    assert fitted(kept(answers, truths), ("x",), error).num == (needed,)


def test_what_only_classes_have_is_refused() -> None:
    known = kept(*drawn(np.random.default_rng(0), 50))
    with pytest.raises(ConfigError, match="numbers have no classes"):
        fitted(known, ("x",), 0.1, "aps")
    with pytest.raises(ConfigError, match="by class: numbers"):
        fitted(known, ("x",), 0.1, by_class=True)


@pytest.mark.parametrize(
    "changes",
    [{"answers": [[1.0]]}, {"answers": "x"}, {"truths": [[1.0], [float("nan")]]}, {"truths": [1.0, 2.0]}],
)
def test_damage_is_named(changes: dict[str, object]) -> None:
    good = {"answers": [[1.0], [2.0]], "truths": [[1.5], [2.5]]}
    assert opened(good, 1, "here") == good
    for document, num in ((good | changes, 1), (good, 2), ({"answers": [[1.0]]}, 1)):
        with pytest.raises(RunError, match="here is damaged"):
            opened(document, num, "here")


def test_an_answer_has_its_interval() -> None:
    decision = IntervalDecision(
        NumberDecision((0.0, 0.0), (1.0, 1.0)), Intervals(0.1, (2.0, 0.5), (None, None), (50, 50))
    )
    answer = decision.answer("x.png", np.array([13.0, -1.5]), ("size", "tilt"))
    assert answer.intervals == {"size": (11.0, 15.0), "tilt": (-2.0, -1.0)}
    assert answer.line() == "size 13 (11 to 15), tilt -1.5 (-2 to -1)  x.png"
    assert answer.cells() == ("13", "-1.5", "11", "15", "-2", "-1")
    assert decision.columns(("size", "tilt")) == ("size", "tilt", "low_size", "high_size", "low_tilt", "high_tilt")
    one = IntervalDecision(NumberDecision((0.0,), (1.0,)), Intervals(0.1, (2.0,), (None,), (50,)))
    assert one.answer("x.png", np.array([13.0]), ("size",)).line() == "       13 (11 to 15)  x.png"


def test_what_is_measured_is_counted_by_hand() -> None:
    answers = np.arange(8.0)[:, None]
    truths = answers + np.array([0, 0, 0, 3, 0, 0, 3, -3.0])[:, None]
    tested = Evaluation("test", np.arange(8), truths, answers.astype(np.float32), answers, answers, [])
    found = measure_sets(tested, Intervals(0.1, (2.0,), (None,), (50,)), ("x",))
    assert isinstance(found, tuple)
    assert found[0].coverage.value == 5 / 8 and found[0].mean_width == 4 and not found[0].is_scaled
    parts, made = np.repeat([0, 1], 4), Intervals(0.1, (2.0,), (None,), (50,))
    each = measure_sets_by(dataclasses.replace(tested, hashes=list("abcdefgh")), made, ("x",), parts)
    lines = set_lines_by(Gaps("site", ("u", "v"), (4, 4), parts, ()), each)
    assert [line.split()[0] for line in lines] == ["held", "75.0%", "50.0%"]
    assert [(q.low, q.high, q.coverage.value) for q in found[0].quarters] == [
        (0, 1, 1),
        (2, 3, 0.5),
        (4, 5, 1),
        (6, 7, 0),
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("intervals") / "run"
    pictures, values = discs(500)
    data = from_arrays(pictures, values[:, None], ("diameter",))
    return train(data, FAST | {"epochs": 4}, Options(out=out, num_workers=0, plan="off"))


def test_a_run_answers_with_intervals_and_measures_them(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures, values = discs(200, seed=9)
    Image.fromarray(pictures[0]).save(tmp_path / "x.png")
    assert main(["predict", str(run.path), str(tmp_path / "x.png"), "--sets", "0.1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    low, high = answer["intervals"]["diameter"]
    assert low < answer["values"]["diameter"] < high
    assert main(["predict", str(run.path), str(tmp_path / "x.png"), "--sets", "0.1", "--csv"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "path,diameter,low_diameter,high_diameter,doubt,error"
    page, card = (run.path / "report.html").read_text(), (run.path / "README.md").read_text()
    assert "How far off it may be" in page and page.count('class="line strong thin"') == 2
    assert "intervals that are to hold the true number of 90" in card.replace("\u00a0", " ")
    made = open_sets(run, 0.2)
    tested = evaluate(
        Predictor.open(run.path), from_arrays(pictures, values[:, None], ("diameter",)), np.arange(200), "all"
    )
    (found,) = measure_sets(tested, made, run.config.classes)  # type: ignore[misc]
    assert 0.65 < found.coverage.value < 0.95  # 0.8, by 75 calibration pictures and 200 of the test


def test_too_few_for_the_rate_and_runs_without_any_are_errors(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(run.path), "x.png", "--sets", "0.001"]) == 4
    assert "it takes 999 of them" in capsys.readouterr().err
    whole = (run.path / CALIBRATION).read_bytes()
    try:
        (run.path / CALIBRATION).unlink()
        assert main(["predict", str(run.path), "x.png", "--sets", "0.1"]) == 7
        assert "has no calibration.json" in capsys.readouterr().err
        assert Predictor.open(run.path).predict(np.zeros((28, 28), np.uint8))
    finally:
        (run.path / CALIBRATION).write_bytes(whole)
