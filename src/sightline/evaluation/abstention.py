"""What giving only the surer answers brought on a test. Comes in: an Evaluation and a threshold; goes out: figures.

Must not know files, torch or the report's looks.
"""

from dataclasses import dataclass

from sightline.decision import Abstention
from sightline.evaluation.evaluate import Evaluation
from sightline.metrics.accuracy import Accuracy, rate


@dataclass(frozen=True)
class AbstentionMeasured:
    """What came of giving only answers of a probability from `threshold` on, which calibration pictures set for a share
    `error` of wrong ones: the share of pictures that was `answered`, and of these the share that was `wrong`."""

    error: float
    threshold: float
    answered: Accuracy
    wrong: Accuracy


def measure_abstention(tested: Evaluation, abstention: Abstention) -> AbstentionMeasured:
    """Of answers to one class a picture."""
    given = abstention.is_given(tested.outputs.max(axis=1))
    wrong = rate((tested.decided != tested.labels)[given])
    return AbstentionMeasured(abstention.error, abstention.threshold, rate(given), wrong)
