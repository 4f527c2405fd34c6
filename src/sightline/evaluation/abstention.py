"""What giving only the surer answers brought on a test. Comes in: an Evaluation and a threshold; goes out: figures.

Must not know files, torch or the report's looks.
"""

from dataclasses import dataclass

from sightline.decision import Abstention
from sightline.evaluation.evaluate import Evaluation
from sightline.metrics import Rate, rate


@dataclass(frozen=True)
class AbstentionMeasured:
    """What came of giving only answers of a probability from `threshold` on, which calibration pictures set for a share
    `error` of wrong ones: the share of pictures that was `answered`, and of these the share that was `wrong`, None
    where there are none."""

    error: float
    threshold: float
    answered: Rate
    wrong: Rate | None


def measure_abstention(tested: Evaluation, abstention: Abstention) -> AbstentionMeasured:
    """Of answers to one class a picture."""
    given, sample = abstention.is_given(tested.outputs.max(axis=1)), tested.sample
    wrong = rate((tested.decided != tested.labels)[given], sample.groups_of(given)) if given.any() else None
    return AbstentionMeasured(abstention.error, abstention.threshold, rate(given, sample.groups), wrong)
