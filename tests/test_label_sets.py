"""Sets of several classes: the threshold by hand, the promise over many simulated draws, what cannot be promised."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.training.test_several import FAST, crosses

from sightline.classifier import from_arrays
from sightline.cli import main
from sightline.decision import LabelSets, MultiDecision
from sightline.decision.label_sets import LabelSetDecision, fitted, kept, num_in, opened
from sightline.errors import ConfigError, RunError
from sightline.evaluation.evaluate import Evaluation, evaluate
from sightline.evaluation.sets import LabelSetsMeasured, measure_sets, measure_sets_by
from sightline.predictor import Predictor, open_sets
from sightline.report.where import set_lines_by
from sightline.run import CALIBRATION, Run
from sightline.slicing import Gaps
from sightline.training.options import Options
from sightline.training.train import train

NAMES = tuple("abcde")


def drawn(generator: np.random.Generator, num: int, too_sure_by: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (num, 5) and labels; a fifth or so of the pictures carry nothing, classes come together."""
    logits = generator.normal(-1.2, 1.6, (num, 5)) + generator.normal(0, 0.8, (num, 1))
    labels = (generator.random((num, 5)) < MultiDecision().outputs(logits)).astype(np.uint8)
    return MultiDecision().outputs(too_sure_by * logits), labels


def share_missed(sets: LabelSets, probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Of each picture that carries a class."""
    carries = labels.any(axis=1)
    missed = (labels > 0) & ~sets.members(probabilities)
    return missed[carries].sum(axis=1) / labels[carries].sum(axis=1)


def test_the_threshold_by_hand() -> None:
    """Nine pictures of one class each bear a half; four of them may be missed: 0.5 * (9 + 1) - 1."""
    probabilities = np.stack([np.arange(1, 10) / 10, np.zeros(9)], axis=1)
    known = kept(probabilities, np.stack([np.ones(9), np.zeros(9)], axis=1).astype(np.uint8))
    assert known["labels"] == [[0]] * 9 and num_in(known) == 9
    assert fitted(known, ("a", "b"), 0.5).thresholds == (0.5, 0.5)
    assert fitted(known, ("a", "b"), 0.1).thresholds == (0.1, 0.1)
    # A picture of two classes misses a half with each of them.
    known = kept(np.array([[0.2, 0.3], [0.9, 0.1], [0.8, 0.8]]), np.array([[1, 1], [1, 0], [0, 0]], np.uint8))
    assert num_in(known) == 2
    assert fitted(known, ("a", "b"), 0.5).thresholds == (0.3, 0.3)  # a half may be missed: 0.5 * 3 - 1


def test_equal_probabilities_are_missed_together() -> None:
    known = kept(np.array([[0.2]] * 5 + [[0.9]] * 5), np.ones((10, 1), np.uint8))
    assert fitted(known, ("a",), 0.3).thresholds == (0.2,)  # two of the five may be missed, but not two alone
    assert fitted(known, ("a",), 0.6).thresholds == (0.9,)


@pytest.mark.parametrize("too_sure_by", [1.0, 3.0])
def test_the_promise_is_kept_on_average_whatever_the_network_says(too_sure_by: float) -> None:
    """Over draws of 100 pictures the share that is missed is 0.1 at most in the mean, and 2/(n + 1) less at least
    (Angelopoulos et al., 2024)."""
    generator = np.random.default_rng(0)
    probabilities, labels = drawn(generator, 60_000, too_sure_by)
    missed, nums = [], []
    for part in np.split(generator.permutation(60_000), 300):
        known = kept(probabilities[part[:100]], labels[part[:100]])
        missed.append(share_missed(fitted(known, NAMES, 0.1), probabilities[part[100:]], labels[part[100:]]).mean())
        nums.append(num_in(known))
    error = 3 * np.std(missed) / np.sqrt(300)
    assert 0.1 - 2 / (min(nums) + 1) - error < np.mean(missed) < 0.1 + error
    assert error < 0.008 and 70 < np.mean(nums) < 90


def test_by_class_each_class_is_found_as_often_as_promised() -> None:
    """Of 99 pictures the coverage is 0.9 in the mean and spreads as a beta distribution (Vovk, 2012)."""
    generator = np.random.default_rng(1)
    covered = []
    for _ in range(300):
        labels = np.repeat([1, 0], (99, 50))[:, None].astype(np.uint8)
        given = MultiDecision().outputs(generator.normal(0, 1, (149, 1)) + labels)
        sets = fitted(kept(given, labels), ("a",), 0.1, by_class=True)
        covered.append(sets.members(MultiDecision().outputs(generator.normal(1, 1, (2_000, 1)))).mean())
    assert np.mean(covered) == pytest.approx(0.9, abs=3 * 0.03 / np.sqrt(300))
    assert np.std(covered) == pytest.approx(np.sqrt(0.9 * 0.1 / 101), rel=0.15)


def test_by_class_a_hard_class_is_missed_no_more_than_an_easy_one() -> None:
    generator = np.random.default_rng(2)
    labels = (generator.random((20_000, 2)) < 0.3).astype(np.uint8)
    given = MultiDecision().outputs(generator.normal(0, 1, (20_000, 2)) + labels * [4, 1])
    known, rest = kept(given[:10_000], labels[:10_000]), slice(10_000, None)
    for by_class, least in ((False, 0.8), (True, 0.89)):
        members = fitted(known, ("easy", "hard"), 0.1, by_class=by_class).members(given[rest])
        held = [members[labels[rest][:, k] > 0, k].mean() for k in (0, 1)]
        assert (min(held) > least) and (by_class or min(held) < 0.86)


def test_pictures_that_carry_nothing_do_not_thin_the_promise_out() -> None:
    generator = np.random.default_rng(3)
    probabilities, labels = drawn(generator, 2_000)
    carries = labels.any(axis=1)
    with_all, without = (fitted(kept(probabilities[r], labels[r]), NAMES, 0.1) for r in (slice(None), carries))
    assert with_all == without and with_all.num == carries.sum()


@pytest.mark.parametrize(("num", "error", "needed"), [(8, 0.1, 9), (98, 0.01, 99)])
def test_what_cannot_be_promised_says_how_many_it_takes(num: int, error: float, needed: int) -> None:
    given, labels = np.linspace(0, 1, needed)[:, None], np.ones((needed, 1), np.uint8)
    with pytest.raises(
        ConfigError, match=f"with {num} calibration pictures that carry a class .* takes {needed} of them"
    ):
        fitted(kept(given[:num], labels[:num]), ("a",), error)
    assert fitted(kept(given, labels), ("a",), error).num == needed
    with pytest.raises(ConfigError, match="with 0 calibration pictures with 'b'"):
        fitted(kept(np.tile(given, 2), np.repeat([[1, 0]], needed, axis=0)), ("a", "b"), error, by_class=True)


def test_options_of_one_class_are_refused() -> None:
    known = kept(np.ones((20, 1)), np.ones((20, 1), np.uint8))
    with pytest.raises(ConfigError, match="raps: sets of several classes a picture have one way"):
        fitted(known, ("a",), 0.1, "raps")
    with pytest.raises(ConfigError, match="between 0 and 1"):
        fitted(known, ("a",), 0.0)


@pytest.mark.parametrize(
    "changes",
    [{"labels": [[0], [99]]}, {"labels": 3}, {"probabilities": [[0.5]]}, {"probabilities": [[0.5], [1.5]]},
     {"probabilities": [[0.5, 0.5], [0.5]]}, {"probabilities": [[0.5], [float("nan")]]}, {"labels": [[0], ["a"]]}],
)  # fmt: skip
def test_damage_is_named(changes: dict[str, object]) -> None:
    good = {"labels": [[0], [1]], "probabilities": [[0.5], [0.6]]}
    assert opened(good, 2, "here") == good
    with pytest.raises(RunError, match="here is damaged"):
        opened(good | changes, 2, "here")


def test_an_answer_has_its_set_the_most_probable_first() -> None:
    decision = LabelSetDecision(MultiDecision((0.5, 0.5, 0.5)), LabelSets(0.1, (0.2, 0.2, 0.2), 50))
    answer = decision.answer("x.png", np.array([0.3, 0.9, 0.1]), ("a", "b", "c"))
    assert answer.labels == ["b"] and answer.set == ["b", "a"]
    assert answer.line() == "b 90.0%  {b, a}  x.png"
    assert answer.cells() == ("b", "0.300000", "0.900000", "0.100000", "b;a")
    assert decision.columns(("a", "b", "c")) == ("labels", "p_a", "p_b", "p_c", "set")


def test_what_is_measured_is_counted_by_hand() -> None:
    labels = np.array([[1, 1], [1, 0], [0, 0]], np.uint8)
    outputs = np.array([[0.9, 0.1], [0.05, 0.6], [0.7, 0.0]])
    tested = Evaluation("test", np.arange(3), labels, outputs.astype(np.float32), outputs, labels, [])
    found = measure_sets(tested, LabelSets(0.1, (0.5, 0.5), 50), ("a", "b"))
    assert isinstance(found, LabelSetsMeasured)
    assert found.missed.value == pytest.approx((0.5 + 1) / 2)
    assert (found.mean_size, found.mean_carried) == (1.0, 1.0)
    assert [(one.name, one.coverage.value) for one in found.classes][-1] == ("b", 0)
    made, parts = LabelSets(0.1, (0.5, 0.5), 50), np.array([0, 0, 1])
    each = measure_sets_by(dataclasses.replace(tested, hashes=list("abc")), made, ("a", "b"), parts)
    lines = set_lines_by(Gaps("site", ("u", "v"), (2, 1), parts, ()), each)
    assert [line.split()[0] for line in lines] == ["missed", "75.0%", "-"]
    nothing = Evaluation("test", np.arange(3), 0 * labels, outputs.astype(np.float32), outputs, labels, [])
    found = measure_sets(nothing, LabelSets(0.1, (0.5, 0.5), 50), ("a", "b"))
    assert isinstance(found, LabelSetsMeasured) and found.missed.value is None and found.classes == ()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("label-sets") / "run"
    return train(from_arrays(*crosses(500)), FAST | {"epochs": 2}, Options(out=out, num_workers=0, plan="off"))


def test_a_run_answers_with_sets_and_measures_them(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "x.png"
    Image.fromarray(crosses(1)[0][0]).save(picture)
    assert main(["predict", str(run.path), str(picture), "--sets", "0.1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"path", "labels", "set", "probabilities", "familiarity", "doubt"}
    assert set(answer["set"]) <= {"lying", "standing"}
    assert main(["predict", str(run.path), str(picture), "--sets", "0.1", "--csv"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "path,labels,p_lying,p_standing,set,doubt,error"
    page = (run.path / "report.html").read_text()
    assert "Sets of classes" in page and "that carry any" in page
    made, (tested, classes) = open_sets(run, 0.2, by_class=True), evaluate_run_of_arrays(run)
    found = measure_sets(tested, made, classes)
    assert isinstance(found, LabelSetsMeasured) and found.by_class and found.missed.value is not None
    assert found.missed.value < 0.45


def evaluate_run_of_arrays(run: Run) -> tuple[Evaluation, tuple[str, ...]]:
    """On new pictures, as those that it was trained on lie nowhere."""
    data = from_arrays(*crosses(100, seed=5))
    return evaluate(Predictor.open(run.path), data, np.arange(100), "all"), run.config.classes


def test_too_few_for_the_rate_is_an_error(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(run.path), "x.png", "--sets", "0.001"]) == 4
    assert "calibration pictures that carry a class that cannot be promised; it takes 999" in capsys.readouterr().err
    assert main(["predict", str(run.path), "x.png", "--sets", "0.1", "--sets-by", "aps"]) == 4
    assert opened(run.read_json(CALIBRATION), 2, "x")["labels"]
