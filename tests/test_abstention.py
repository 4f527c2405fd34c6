"""Only the surer answers: thresholds by hand, promises by simulation, and what is said where they cannot be made."""

import numpy as np
import pytest

from sightline.decision import Abstention
from sightline.decision.abstention import fitted
from sightline.errors import ConfigError, RunError
from sightline.evaluation.abstention import measure_abstention
from sightline.evaluation.evaluate import Evaluation
from sightline.metrics import Sample
from sightline.metrics.risk_coverage import measure
from sightline.report.words import abstention_in_words


def known(probabilities: list[float], wrong: list[int]) -> dict[str, list[object]]:
    return {"probabilities": [*probabilities], "labels": [0] * len(wrong), "answers": [*wrong]}


def test_the_threshold_by_hand() -> None:
    """Nine right above one wrong: (0 + 1) / (9 + 1) is a tenth; with the wrong one (1 + 1) / (10 + 1) is more."""
    probabilities = [0.99, 0.98, 0.97, 0.96, 0.95, 0.94, 0.93, 0.92, 0.91, 0.6]
    found = fitted(known(probabilities, [0] * 9 + [1]), 0.1, "it")
    assert found == Abstention(0.1, 0.91, 10)
    assert found.is_given(np.array([0.91, 0.909])).tolist() == [True, False]


def test_equal_answers_are_given_together() -> None:
    """The tenth and the eleventh are alike, one of them wrong: with both (1 + 1) / (11 + 1) is more than a tenth."""
    found = fitted(known([0.9] * 9 + [0.8, 0.8], [0] * 10 + [1]), 0.1, "it")
    assert found.threshold == 0.9


def test_a_wrong_answer_on_top_does_not_end_the_search() -> None:
    found = fitted(known([0.99] + [0.9] * 30, [1] + [0] * 30), 0.1, "it")
    assert found.threshold == 0.9


@pytest.mark.parametrize("error", [0.02, 0.05])
def test_as_few_are_wrong_as_promised(error: float) -> None:
    """Over 200 draws of 2,500 calibration pictures, right as often as their probability says."""
    rng, found = np.random.default_rng(0), []
    for _ in range(200):
        probabilities = rng.beta(15, 1, 6000)
        wrong = rng.random(6000) > probabilities
        at = fitted(known(probabilities[:2500].tolist(), wrong[:2500].astype(int).tolist()), error, "it")
        found.append(wrong[2500:][at.is_given(probabilities[2500:])].mean())
    assert np.mean(found) == pytest.approx(error, rel=0.1)


def test_what_cannot_be_promised_is_said() -> None:
    with pytest.raises(ConfigError, match="such as 99 right answers above every wrong one"):
        fitted(known([0.9] * 98, [0] * 98), 0.01, "it")
    with pytest.raises(ConfigError, match="abstain = 1: the share"):
        fitted(known([0.9], [0]), 1, "it")
    with pytest.raises(RunError, match="it has no probabilities of answers"):
        fitted({"labels": [0]}, 0.1, "it")


def test_where_no_answer_is_sure_enough_none_is_wrong() -> None:
    outputs = np.array([[0.6, 0.4], [0.3, 0.7], [0.5, 0.5]])
    rows, decided = np.arange(3), outputs.argmax(axis=1)
    tested = Evaluation("test", rows, rows % 2, outputs.astype(np.float32), outputs, decided, ["a", "b", "c"])
    found = measure_abstention(tested, Abstention(0.01, 0.9, 100))
    assert found.answered.value == 0 and found.wrong is None
    assert abstention_in_words(found).endswith("0.0\u00a0% of pictures are answered (95 % interval 0.0 to 56.1\u00a0%)")
    sure = measure_abstention(tested, Abstention(0.01, 0.65, 100))
    assert sure.answered.value == pytest.approx(1 / 3) and sure.wrong is not None and sure.wrong.value == 0


def test_the_curve_by_hand() -> None:
    """Surest first: right, wrong, and two alike of which one is wrong."""
    outputs = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.3, 0.7]])
    labels = np.array([0, 1, 1, 0])
    found = measure(Sample(outputs, labels, outputs.argmax(axis=1)))
    assert np.allclose(found.points, [(0.25, 0), (0.5, 0.5), (0.75, 0.5), (1, 0.5)])
    assert found.aurc == pytest.approx(0.375)
    order = [3, 1, 0, 2]
    again = measure(Sample(outputs[order], labels[order], outputs.argmax(axis=1)[order]))
    assert again == found
