"""How far an export is from its run: hand-counted."""

import numpy as np
import pytest

from sightline.evaluation.evaluate import Evaluation
from sightline.exporting.proof import CLOSE, proof, sentence, wrongness

LABELS = np.array([0, 1, 1, 0])


def evaluation(logits: np.ndarray) -> Evaluation:
    outputs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    rows = np.arange(4)
    return Evaluation(
        "test",
        rows,
        LABELS,
        logits.astype(np.float32),
        outputs.astype(np.float64),
        outputs.argmax(axis=1),
        list("abcd"),
    )


RUN = np.array([[2.0, 0.0], [0.0, 2.0], [0.0, 2.0], [2.0, 0.0]])


def test_one_of_four_answers_that_changes() -> None:
    other = RUN.copy()
    other[1] = [0.3, 0.1]
    found = proof(evaluation(RUN), evaluation(other))
    assert (found.num, found.agreement.value, found.figure, found.exported) == (4, 0.75, 1.0, 0.75)
    assert found.difference is not None and found.difference.value == 0.25
    assert found.logit_apart == pytest.approx(1.9 / RUN.std(), rel=1e-5)
    assert "25 points are lost on 4 test pictures; 0.5 may be" in found.obstacle("int8").replace("25.00", "25")
    assert found.obstacle("int8", 0.3) == "" and "0.001 are allowed in fp32" in found.obstacle("fp32")
    assert sentence(found.to_json()).startswith("75.00 % of 4 test pictures answered the same")


def test_what_only_rounds_is_no_obstacle() -> None:
    near = proof(evaluation(RUN), evaluation(RUN + 0.5 * CLOSE * RUN.std() * np.array([1, -1])))
    assert near.obstacle("fp32") == near.obstacle("int8") == ""
    assert "standard deviations from the run's" in proof(evaluation(RUN), evaluation(np.full((4, 2), np.nan))).obstacle(
        "fp32"
    )


def test_wrongness_is_what_calibrated_probabilities_expect() -> None:
    outputs = np.array([[0.9, 0.1], [0.4, 0.6]])
    assert wrongness("single", outputs, np.array([0, 0])) == pytest.approx([0.1, 0.6])
    assert wrongness("multi", outputs, np.array([[1, 0], [1, 1]])) == pytest.approx([0.1, 0.5])
    assert wrongness("number", np.array([[1.0], [5.0]]), np.array([[1.0], [3.0]])) == pytest.approx([0.0, 2.0])
